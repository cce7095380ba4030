// How well the classifier tells spam from ham, alone and with the default rules:
//   spam_quality HAM_FOLDER SPAM_FOLDER [FOLDS [FOLD_FILE]]
//
// Cross-validation: each message is judged by a classifier that learned from the other folds, in an order that is
// shuffled with a fixed seed. The default threshold stands in every line; the best one is that of the highest F1 with
// less than one false positive in a thousand ham. FOLD_FILE is written for others, who are to learn and judge the same:
// a line for each message in that order, its fold, "ham" or "spam", and its path.

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "apps/filter/spam_rules.hpp"
#include "briefwerk/filter/bayes.hpp"
#include "briefwerk/filter/spam_stage.hpp"

namespace {

using namespace briefwerk::filter;

constexpr std::int64_t now = 1700000000;

constexpr double junk_score = 5;  // filter.junk_score

struct sample {
  std::string octets;
  bool spam = false;
  std::string path;
};
struct judged {
  double evidence = 0;  // or points
  bool spam = false;
};

void read_folder(std::vector<sample>& out, const char* folder, bool spam) {
  std::vector<std::filesystem::path> files;
  for (const auto& one : std::filesystem::directory_iterator(folder)) {
    if (one.is_regular_file()) files.push_back(one.path());
  }
  std::ranges::sort(files);
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    out.push_back({{std::istreambuf_iterator<char>(in), {}}, spam, file.string()});
  }
}

void learn(bayes& by, const sample& one) {
  by.learn(one.octets, one.spam ? kind_of_mail::spam : kind_of_mail::ham, {}, now);
}

struct quality {
  double precision = 0, recall = 0, f1 = 0, false_positives = 0;
};

quality at_threshold(const std::vector<judged>& all, double threshold) {
  double hits = 0, alarms = 0, spam = 0;
  for (const judged& one : all) {
    spam += one.spam;
    if (one.evidence >= threshold) ++(one.spam ? hits : alarms);
  }
  const double ham = static_cast<double>(all.size()) - spam;
  return {.precision = hits / std::max(hits + alarms, 1.0),
          .recall = hits / std::max(spam, 1.0),
          .f1 = 2 * hits / std::max(hits + alarms + spam, 1.0),
          .false_positives = alarms / std::max(ham, 1.0)};
}

void print(const char* what, double threshold, const quality& q) {
  std::printf("%-14s threshold %6.2f  precision %.4f  recall %.4f  F1 %.4f  false positives %.3f %%\n", what, threshold,
              q.precision, q.recall, q.f1, 100 * q.false_positives);
}

void print_best(const std::vector<judged>& all) {
  double threshold = 0;
  quality best;
  for (const judged& one : all) {
    const quality q = at_threshold(all, one.evidence);
    if (q.false_positives < 0.001 && q.f1 > best.f1) best = q, threshold = one.evidence;
  }
  print("best", threshold, best);
}

// What the whole stage makes of messages, and which of its rules speak.
class whole_stage {
 public:
  explicit whole_stage(std::shared_ptr<const bayes> by) {
    std::string wrong;
    spam_options options{.rules = briefwerk::apps::load_spam_rules({}).value(), .classifier = std::move(by)};
    stage_ = spam_stage::create(std::move(options), clock_, wrong).value();
  }
  double judge(const sample& one) {
    session_facts session;
    const verdict said = briefwerk::base::sync_wait(stage_->message(session, {}, {one.octets}));
    count_rules(said, one.spam);
    return said.score;
  }
  std::map<std::string, std::array<int, 2>> spoke;  // rule: how often for ham and for spam

 private:
  void count_rules(const verdict& said, bool spam) {
    if (said.add_fields.empty()) return;
    std::istringstream words(said.add_fields.front().value);
    for (std::string word; words >> word;) {
      if (const auto end = word.find('='); end != word.npos) ++spoke[word.substr(0, end)][spam];
    }
  }
  briefwerk::base::manual_clock clock_{briefwerk::base::wall_time(std::chrono::seconds(now))};  // that it learned at
  std::shared_ptr<spam_stage> stage_;
};

std::shared_ptr<bayes> taught(const std::vector<sample>& all, std::size_t folds, std::size_t but) {
  auto by = std::make_shared<bayes>(bayes_options(), briefwerk::base::siphash_key{1, 2});
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i % folds != but) learn(*by, all[i]);
  }
  return by;
}

void cross_validate(const std::vector<sample>& all, std::size_t folds) {
  std::vector<judged> alone, whole, untaught;
  std::map<std::string, std::array<int, 2>> spoke;
  double learning = 0, judging = 0, judging_whole = 0;  // seconds of the processor
  const auto clock = [] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; };
  for (std::size_t fold = 0; fold < folds; ++fold) {
    const auto begin = clock();
    const auto by = taught(all, folds, fold);
    const auto learned = clock();
    for (std::size_t i = fold; i < all.size(); i += folds) {
      alone.push_back({by->judge(all[i].octets, {}, now).evidence, all[i].spam});
    }
    const auto judged_alone = clock();
    whole_stage stage(by);
    for (std::size_t i = fold; i < all.size(); i += folds) whole.push_back({stage.judge(all[i]), all[i].spam});
    judging_whole += clock() - judged_alone;
    judging += judged_alone - learned;
    learning += learned - begin;
    for (const auto& [rule, counts] : stage.spoke) spoke[rule][0] += counts[0], spoke[rule][1] += counts[1];
  }
  std::puts("the classifier alone");
  print("default", bayes::spam_evidence, at_threshold(alone, bayes::spam_evidence));
  print_best(alone);
  whole_stage rules(nullptr);
  for (const sample& one : all) untaught.push_back({rules.judge(one), one.spam});
  std::puts("the rules alone, without what a server knows of the client");
  print("default", junk_score, at_threshold(untaught, junk_score));
  std::puts("rules and classifier");
  print("default", junk_score, at_threshold(whole, junk_score));
  print_best(whole);
  const double count = static_cast<double>(all.size());
  std::printf("%.0f us to learn a message, %.0f us to judge one, %.0f us with the rules\n",
              1e6 * learning / (count * static_cast<double>(folds - 1)), 1e6 * judging / count,
              1e6 * judging_whole / count);
  const auto spam = static_cast<double>(std::ranges::count_if(all, &sample::spam));
  for (const auto& [rule, counts] : spoke) {
    std::printf("%-24s %6.2f %% of ham %6.2f %% of spam\n", rule.c_str(), 100 * counts[0] / (count - spam),
                100 * counts[1] / spam);
  }
}

void write_folds(const std::vector<sample>& all, std::size_t folds, const char* file) {
  std::ofstream out(file);
  for (std::size_t i = 0; i < all.size(); ++i) {
    out << i % folds << (all[i].spam ? " spam " : " ham ") << all[i].path << "\n";
  }
}

// What is not learned is judged, after so many learned messages.
void learning_curve(const std::vector<sample>& all) {
  const auto by = std::make_unique<bayes>(bayes_options(), briefwerk::base::siphash_key{1, 2});
  const std::size_t most = std::min<std::size_t>(2000, all.size() * 2 / 3);
  std::size_t learned = 0;
  for (const std::size_t count : {0, 50, 100, 200, 500, 1000, 1500, 2000}) {
    if (count > most) break;
    for (; learned < count; ++learned) learn(*by, all[learned]);
    std::vector<judged> out;
    for (std::size_t i = most; i < all.size(); ++i)
      out.push_back({by->judge(all[i].octets, {}, now).evidence, all[i].spam});
    print((std::to_string(count) + " learned").c_str(), bayes::spam_evidence, at_threshold(out, bayes::spam_evidence));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t folds = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 10;
  if (argc < 3 || folds < 2) return std::fprintf(stderr, "spam_quality HAM_FOLDER SPAM_FOLDER [FOLDS [FOLD_FILE]]\n"), 2;
  std::vector<sample> all;
  read_folder(all, argv[1], false);
  const std::size_t ham = all.size();
  read_folder(all, argv[2], true);
  std::printf("%zu ham, %zu spam, %zu folds\n", ham, all.size() - ham, folds);
  std::ranges::shuffle(all, std::mt19937(7));
  if (argc > 4) write_folds(all, folds, argv[4]);
  cross_validate(all, folds);
  learning_curve(all);
}
