// What webmail.py lets Chromium do with Roundcube. Usage: node webmail.mjs DIALOGUE, the task as JSON on standard
// input. Prints the name of each step that went well; ends with 1 and the reason at the first that did not.
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';

const task = JSON.parse(readFileSync(0, 'utf8'));
const { default: playwright } = await import(task.module + '/index.js');
const browser = await playwright.chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--disable-gpu'] });
const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, locale: 'en-US', acceptDownloads: true });
page.setDefaultTimeout(60000);
page.on('dialog', (dialog) => dialog.accept());

let count = 0;
async function step(name, action) {
  try {
    await action();
  } catch (why) {
    await page.screenshot({ path: `${task.screenshots}/failed.png` });
    throw new Error(`${name}: ${why.stack}`);
  }
  await page.screenshot({ path: `${task.screenshots}/${String(++count).padStart(2, '0')} ${name}.png` });
  console.log(name);
}

const message = (subject) => page.locator('#messagelist tbody tr.message:visible', { hasText: subject });
const folder = (name) => page.locator('#mailboxlist li a', { hasText: name }).first();
const idle = () => page.waitForFunction(() => !window.rcmail.busy && !document.querySelector('#messagestack .loading'));

async function logIn(password) {
  await page.goto(task.url);
  await page.fill('#rcmloginuser', task.user);
  await page.fill('#rcmloginpwd', password);
  await page.click('#rcmloginsubmit');
}

// A click while a message is loaded may go unheeded: it is repeated, as a user would.
async function open(name) {
  for (let tries = 0; ; ++tries) {
    await idle();
    await folder(name).click();
    try {
      await page.waitForFunction((wanted) => window.rcmail.env.mailbox === wanted, name, { timeout: 2000 });
      break;
    } catch (why) {
      if (tries === 20) throw why;
    }
  }
  await idle();
}

async function select(subject) {
  await message(subject).click();
  await page.frameLocator('#messagecontframe').locator('h2.subject', { hasText: subject }).waitFor();
  await idle();
}

async function menu(button, item) {
  await page.click(button);
  await page.locator(item).first().click();
}

async function read() {
  await select('Grüße mit Bild');
  const frame = page.frameLocator('#messagecontframe');
  await frame.getByText('Schöne Grüße').waitFor();
  await page.waitForFunction(() => {
    const inner = document.querySelector('#messagecontframe').contentDocument;
    return [...inner.querySelectorAll('#messagebody img')].some((one) => one.complete && one.naturalWidth === 1);
  });
  await frame.locator('#attachment-list a', { hasText: 'Messwerte für Zürich.csv' }).first().waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.evaluate(() => {
      const inner = document.querySelector('#messagecontframe').contentWindow;
      const link = [...inner.document.querySelectorAll('#attachment-list a')].find((a) => a.href.includes('_part='));
      inner.location.href = link.href.replace('&_frame=1', '') + '&_download=1';
    }),
  ]);
  assert.equal(download.suggestedFilename(), 'Messwerte für Zürich.csv');
  assert.equal(readFileSync(await download.path()).toString('base64'), task.paper);
}

async function send() {
  await page.click('#taskmenu a.compose');
  await page.locator('#composebody').waitFor();
  await page.locator('#compose_to input').first().fill('bob@example.test');
  await page.keyboard.press('Enter');
  await page.fill('#compose-subject', 'Übergrößenträger für Bob');
  await page.fill('#composebody', 'Liebe Grüße aus Österreich, 日本 und anderswo.');
  await page.locator('#uploadform input[type=file]').setInputFiles(task.attachment);
  await page.locator('#attachment-list li:not(.uploading)', { hasText: 'Anlage für Bob.bin' }).waitFor();
  await page.screenshot({ path: `${task.screenshots}/composed.png` });
  await page.click('button.send');
  await page.locator('#messagelist').waitFor();
  await idle();
}

async function foundInSent() {
  await open('Sent');
  await select('Übergrößenträger für Bob');
  const frame = page.frameLocator('#messagecontframe');
  await frame.getByText('日本 und anderswo').waitFor();
  await frame.locator('#attachment-list a', { hasText: 'Anlage für Bob.bin' }).first().waitFor();
}

async function flag() {
  await open('INBOX');
  await select('Flag me');
  await message('Flag me').locator('.flags .flag span, .flags span').first().click();
  await page.locator('#messagelist tr.flagged', { hasText: 'Flag me' }).waitFor();
  await idle();
}

async function move() {
  await select('Move me');
  await menu('.menu.toolbar a.more', '#message-menu a.move.active');
  await page.locator('#folder-selector a, .popover a', { hasText: 'Archive' }).first().click();
  await message('Move me').waitFor({ state: 'detached' });
  await open('Archive');
  await message('Move me').waitFor();
  await open('INBOX');
}

async function search() {
  await page.click('#mailsearchform ~ a.options, .searchbar a.options');
  await page.evaluate(() => {
    for (const one of document.querySelectorAll('#searchmenu input[name="s_mods[]"]')) {
      if (one.checked !== (one.value === 'body')) one.click();
    }
  });
  await page.fill('#mailsearchform', 'zwetschgenKNÖDEL');
  await page.press('#mailsearchform', 'Enter');
  await message('Flag me').waitFor({ state: 'detached' });
  await idle();
  assert.equal(await page.locator('#messagelist tbody tr.message').count(), 1);
  await message('Plain').waitFor();
  await page.screenshot({ path: `${task.screenshots}/found.png` });
  await page.click('.searchbar a.reset');
  await message('Flag me').waitFor();
}

async function junk() {
  await select('Buy now');
  await page.locator('.menu.toolbar a.junk:not(.disabled)').click();
  await message('Buy now').waitFor({ state: 'detached' });
  await open('Junk');
  await message('Buy now').waitFor();
}

async function emptyTrash() {
  await open('INBOX');
  await select('Throw away');
  await page.locator('.menu.toolbar a.delete:not(.disabled)').click();
  await message('Throw away').waitFor({ state: 'detached' });
  await open('Trash');
  await message('Throw away').waitFor();
  await menu('#layout-sidebar a.sidebar-menu', '#mailboxoptions-menu a.purge.active');
  await page.locator('.ui-dialog button.mainaction').click();
  await message('Throw away').waitFor({ state: 'detached' });
  await idle();
}

async function createFolder() {
  await page.click('#taskmenu a.settings');
  await page.click('#settings-menu li.folders a, #settings-menu a.folders');
  await page.locator('.menu.toolbar a.create:not(.disabled)').click();
  const frame = page.frameLocator('#preferences-frame, #layout-content iframe');
  await frame.locator('input[name=_name]').fill('Ablage Überweisungen');
  await frame.locator('button.submit').click();
  await page.locator('#subscription-table a, #subscription-table li', { hasText: 'Ablage Überweisungen' }).first().waitFor();
  await page.click('#taskmenu a.mail');
  await folder('Ablage Überweisungen').waitFor();
}

async function quota() {
  await page.waitForFunction(() => /[1-9]\d*%/.test(document.querySelector('#quotadisplay').textContent));
}

async function logOut() {
  await page.locator('#taskmenu a.logout').click();
  await page.locator('#rcmloginuser').waitFor();
  await page.goto(task.url + '?_task=mail');
  await page.locator('#rcmloginuser').waitFor();
}

async function refused() {
  await logIn('wrong horse');
  await page.locator('#messagestack', { hasText: 'Login failed' }).waitFor();
  assert.equal(await page.locator('#messagelist').count(), 0);
}

const dialogues = {
  async day() {
    await step('log in', async () => {
      await logIn(task.password);
      await message('Flag me').waitFor();
    });
    await step('quota', quota);
    await step('read', read);
    await step('send', send);
    await step('sent', foundInSent);
    await step('flag', flag);
    await step('move', move);
    await step('search in bodies', search);
    await step('junk', junk);
    await step('empty the trash', emptyTrash);
    await step('create a folder', createFolder);
    await step('log out', logOut);
  },
  async refused() {
    await step('wrong password', refused);
  },
  async refused_certificate() {
    await step('wrong certificate', async () => {
      await logIn(task.password);
      await page.locator('#messagestack', { hasText: 'Connection to storage server failed' }).waitFor();
    });
  },
};

try {
  await dialogues[process.argv[2]]();
} catch (why) {
  console.error(why.message);
  process.exitCode = 1;
} finally {
  await browser.close();
}
