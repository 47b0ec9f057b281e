#include "trainer/inference/beam_search.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

struct Beam {
  std::vector<int32_t> tokens;  // the prompt and what has come
  double sum = 0;               // of the log-probabilities
  int64_t slot = 0;
};

// A beam and the token that may follow it.
struct Continuation {
  size_t beam = 0;
  int32_t token = 0;
  double sum = 0;
};

class BeamSearch {
 public:
  BeamSearch(const Decoder& model, int64_t num_tokens, const std::vector<int32_t>& prompt,
             const DecodingOptions& decoding, const BeamOptions& options, const TextEnds& text_ends)
      : model_(model),
        num_tokens_(num_tokens),
        num_prompt_tokens_(prompt.size()),
        decoding_(decoding),
        options_(options),
        text_ends_(text_ends),
        most_new_tokens_(
            std::min(decoding.max_new_tokens,
                     model.config().max_positions + 1 - static_cast<int64_t>(prompt.size()))),
        cache_(model.make_cache(options.num_beams)),
        beams_{{prompt, 0.0, 0}} {}

  std::vector<BeamText> run() {
    std::vector<Continuation> found = continuations(read_prompt());
    for (num_new_ = 1;; ++num_new_) {
      const std::vector<Continuation> ended = take(found);
      finish(ended);
      if (beams_.empty() || has_ended()) break;
      found = continuations(read_last_tokens());
    }
    return finished_;
  }

 private:
  bool ends(const Continuation& one) const {
    const auto& end_tokens = decoding_.end_tokens;
    if (num_new_ == most_new_tokens_ ||
        std::ranges::find(end_tokens, one.token) != end_tokens.end())
      return true;
    if (!text_ends_) return false;
    const std::vector<int32_t>& before = beams_[one.beam].tokens;
    std::vector<int32_t> tokens(before.begin() + static_cast<std::ptrdiff_t>(num_prompt_tokens_),
                                before.end());
    tokens.push_back(one.token);
    return text_ends_(tokens);
  }

  at::Tensor logits_of(const std::vector<int32_t>& tokens, const std::vector<TokenSpan>& spans) {
    const std::vector<int64_t> ids(tokens.begin(), tokens.end());
    const at::Tensor hidden = model_.hidden(at::tensor(ids, at::kLong), spans, cache_);
    const at::Tensor last = hidden.slice(0, hidden.size(0) - static_cast<int64_t>(spans.size()));
    return model_.head().logits(last).narrow(1, 0, num_tokens_);
  }

  at::Tensor read_prompt() {
    const auto& tokens = beams_[0].tokens;
    return logits_of(tokens, {{0, 0, static_cast<int64_t>(tokens.size())}});
  }

  at::Tensor read_last_tokens() {
    std::vector<int32_t> tokens;
    std::vector<TokenSpan> spans;
    for (const Beam& beam : beams_) {
      tokens.push_back(beam.tokens.back());
      spans.push_back({beam.slot, static_cast<int64_t>(beam.tokens.size()) - 1, 1});
    }
    return logits_of(tokens, spans);
  }

  // The best continuations of all beams, the best first: so many that num_beams of them cannot all
  // be end tokens. logits: [beams, vocabulary].
  std::vector<Continuation> continuations(const at::Tensor& logits) const {
    const at::Tensor log_probabilities =
        at::log_softmax(logits, -1).to(at::kDouble).cpu().contiguous();
    std::vector<double> sums;
    for (size_t b = 0; b < beams_.size(); ++b) {
      const double* const row =
          log_probabilities.data_ptr<double>() + static_cast<int64_t>(b) * num_tokens_;
      std::vector<double> processed(row, row + num_tokens_);
      process_logits(decoding_, beams_[b].tokens, num_prompt_tokens_, processed);
      for (const double value : processed) sums.push_back(beams_[b].sum + value);
    }
    std::vector<size_t> order(sums.size());
    std::iota(order.begin(), order.end(), 0);
    const size_t kept =
        std::min(order.size(), std::max<size_t>(2, 1 + decoding_.end_tokens.size()) *
                                   static_cast<size_t>(options_.num_beams));
    const auto better = [&](size_t a, size_t b) {
      return sums[a] != sums[b] ? sums[a] > sums[b] : a < b;
    };
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                      better);
    std::vector<Continuation> best;
    for (size_t i = 0; i < kept; ++i) {
      const auto vocabulary = static_cast<size_t>(num_tokens_);
      best.push_back(
          {order[i] / vocabulary, static_cast<int32_t>(order[i] % vocabulary), sums[order[i]]});
    }
    return best;
  }

  // Makes the best continuations that do not end the new beams. Returns those that end and are
  // among the first num_beams.
  std::vector<Continuation> take(const std::vector<Continuation>& found) {
    std::vector<Continuation> ended;
    std::vector<Continuation> going_on;
    for (size_t i = 0; i < found.size(); ++i) {
      if (!ends(found[i])) {
        if (static_cast<int64_t>(going_on.size()) < options_.num_beams)
          going_on.push_back(found[i]);
      } else if (static_cast<int64_t>(i) < options_.num_beams) {
        ended.push_back(found[i]);
      }
    }
    parents_ = beams_;
    beams_ = children(going_on);
    return ended;
  }

  // The first child of a beam keeps its slot; others get a copy of it.
  std::vector<Beam> children(const std::vector<Continuation>& going_on) {
    std::vector<bool> is_kept(static_cast<size_t>(options_.num_beams));
    for (const Continuation& one : going_on)
      is_kept[static_cast<size_t>(parents_[one.beam].slot)] = true;
    std::vector<int64_t> free_slots;
    for (int64_t slot = options_.num_beams; slot-- > 0;) {
      if (!is_kept[static_cast<size_t>(slot)]) free_slots.push_back(slot);
    }
    std::vector<bool> has_child(parents_.size());
    std::vector<Beam> children;
    for (const Continuation& one : going_on) {
      Beam child = parents_[one.beam];
      if (has_child[one.beam]) {
        const int64_t slot = free_slots.back();
        free_slots.pop_back();
        cache_.copy(child.slot, slot, static_cast<int64_t>(child.tokens.size()));
        child.slot = slot;
      }
      has_child[one.beam] = true;
      child.tokens.push_back(one.token);
      child.sum = one.sum;
      children.push_back(std::move(child));
    }
    return children;
  }

  void finish(const std::vector<Continuation>& ended) {
    for (const Continuation& one : ended) {
      const std::vector<int32_t>& before = parents_[one.beam].tokens;
      BeamText text{
          {before.begin() + static_cast<std::ptrdiff_t>(num_prompt_tokens_), before.end()},
          one.sum / normalisation(num_new_)};
      text.tokens.push_back(one.token);
      finished_.push_back(std::move(text));
    }
    std::ranges::stable_sort(finished_, std::greater(), &BeamText::score);
    if (static_cast<int64_t>(finished_.size()) > options_.num_beams)
      finished_.resize(static_cast<size_t>(options_.num_beams));
  }

  double normalisation(int64_t length) const {
    return std::pow(static_cast<double>(length), options_.length_penalty);
  }

  bool has_ended() const {
    if (static_cast<int64_t>(finished_.size()) < options_.num_beams) return false;
    if (options_.early_stopping == EarlyStopping::kWhenFull) return true;
    const bool hopes_for_longest =
        options_.early_stopping == EarlyStopping::kNever && options_.length_penalty > 0.0;
    const double best =
        beams_[0].sum / normalisation(hopes_for_longest ? most_new_tokens_ : num_new_);
    return best <= finished_.back().score;
  }

  const Decoder& model_;
  int64_t num_tokens_;
  size_t num_prompt_tokens_;
  const DecodingOptions& decoding_;
  const BeamOptions& options_;
  const TextEnds& text_ends_;
  int64_t most_new_tokens_;
  KeyValueCache cache_;
  int64_t num_new_ = 0;
  std::vector<Beam> beams_;
  std::vector<Beam> parents_;  // the beams before the last token
  std::vector<BeamText> finished_;
};

}  // namespace

std::vector<BeamText> beam_search(const Decoder& model, int64_t num_tokens,
                                  const std::vector<int32_t>& prompt,
                                  const DecodingOptions& decoding, const BeamOptions& options,
                                  const TextEnds& text_ends) {
  const int64_t most = model.config().max_positions;
  if (static_cast<int64_t>(prompt.size()) > most) {
    throw DataError(cat("the prompt has ", prompt.size(), " tokens, more than the ", most,
                        " positions of the model; beam search needs a shorter one"));
  }
  const at::NoGradGuard no_gradients;
  return BeamSearch(model, num_tokens, prompt, decoding, options, text_ends).run();
}

}  // namespace lmtrain
