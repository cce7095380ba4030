// How well the classifier tells spam from ham: spam_quality HAM_FOLDER SPAM_FOLDER [FOLDS]
//
// Cross-validation: each message is judged by a classifier that learned from the other folds, in an order that is
// shuffled with a fixed seed. The default threshold stands in every line; the best one is that of the highest F1 with
// less than one false positive in a thousand ham.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "briefwerk/filter/bayes.hpp"

namespace {

using namespace briefwerk::filter;

constexpr std::int64_t now = 1700000000;

struct sample {
  std::string octets;
  bool spam = false;
};
struct judged {
  double evidence = 0;
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
    out.push_back({{std::istreambuf_iterator<char>(in), {}}, spam});
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
  std::printf("%-14s evidence %6.2f  precision %.4f  recall %.4f  F1 %.4f  false positives %.3f %%\n", what, threshold,
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

void cross_validate(const std::vector<sample>& all, std::size_t folds) {
  std::vector<judged> out;
  std::chrono::duration<double> judging{}, learning{};
  std::size_t learned = 0;
  const auto clock = [] { return std::chrono::steady_clock::now(); };
  for (std::size_t fold = 0; fold < folds; ++fold) {
    const auto by = std::make_unique<bayes>(bayes_options(), briefwerk::base::siphash_key{1, 2});
    const auto begin = clock();
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i % folds != fold) learn(*by, all[i]), ++learned;
    }
    const auto middle = clock();
    for (std::size_t i = fold; i < all.size(); i += folds) {
      out.push_back({by->judge(all[i].octets, {}, now).evidence, all[i].spam});
    }
    learning += middle - begin;
    judging += clock() - middle;
  }
  print("default", bayes::spam_evidence, at_threshold(out, bayes::spam_evidence));
  print_best(out);
  std::printf("%.0f us to learn a message, %.0f us to judge one\n",
              1e6 * learning.count() / static_cast<double>(learned),
              1e6 * judging.count() / static_cast<double>(out.size()));
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
  if (argc < 3 || folds < 2) return std::fprintf(stderr, "spam_quality HAM_FOLDER SPAM_FOLDER [FOLDS]\n"), 2;
  std::vector<sample> all;
  read_folder(all, argv[1], false);
  const std::size_t ham = all.size();
  read_folder(all, argv[2], true);
  std::printf("%zu ham, %zu spam, %zu folds\n", ham, all.size() - ham, folds);
  std::ranges::shuffle(all, std::mt19937(7));
  cross_validate(all, folds);
  learning_curve(all);
}
