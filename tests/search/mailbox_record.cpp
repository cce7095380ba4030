#include "search/mailbox_record.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace briefwerk::search;

TEST_CASE("a record is read as it was written, and nothing else is") {
  mailbox_record record{.uid_validity = 7, .below = 9000, .messages = 3, .last_uid = 8999, .last_email_id = {1, 0xfe}, .blocks = {{0, 2}, {2, 5}}};
  const std::string text = encode(record);
  CHECK(text == "7 9000 3 8999 01fe0000000000000000000000000000\n0 2\n2 5\n");
  const auto read = decode_record(text);
  REQUIRE(read.has_value());
  CHECK(encode(*read) == text);
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto cut = decode_record(std::string(text, 0, size));
    if (cut) CHECK(text.substr(0, size).ends_with('\n'));
  }
  for (const char* bad : {"7 9000 3 8999 01fe0000000000000000000000000000\n2 5\n0 2\n", "7 9000 3 8999 01fe0000000000000000000000000000\n0 5\n1 4\n",
                          "7 9000 3 8999 01fe0000000000000000000000000000\n0 4294967295\n", "99999999999 1 1 1 01fe0000000000000000000000000000\n"})
    CHECK_FALSE(decode_record(bad).has_value());
}

TEST_CASE("documents by UID") {
  const mailbox_record record{.uid_validity = 1, .below = 1, .messages = 0, .last_uid = 0, .last_email_id = {}, .blocks = {{0, 2}, {2, 5}}};
  CHECK(record.document_of(1) == 2 * block_size + 2);
  CHECK(record.document_of(block_size - 1) == 3 * block_size);
  CHECK(record.document_of(block_size) == 0);
  CHECK(record.document_of(2 * block_size) == 5 * block_size + 1);
}
