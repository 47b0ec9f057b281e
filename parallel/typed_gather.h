// Structs that ranks send each other. They travel as the int64 words of which they consist. Every
// back end carries such words, and so doubles arrive bit by bit.
//
// Such a struct is trivially copyable, has a default value for each member, and has no padding: it
// should consist of members of 8 bytes each (int64_t, uint64_t, double).
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include <ATen/ATen.h>

#include "parallel/communicator.h"

namespace lmtrain {

template <class T>
inline constexpr int64_t kWordsOf = static_cast<int64_t>(sizeof(T) / sizeof(int64_t));

// Does not compile for a T with padding, because the bits of padding are not constant.
template <class T>
consteval bool consists_of_words() {
  static_assert(std::is_trivially_copyable_v<T>);
  static_assert(sizeof(T) % sizeof(int64_t) == 0);
  const auto words = std::bit_cast<std::array<int64_t, kWordsOf<T>>>(T{});
  return words.size() == kWordsOf<T>;
}

// Returns the words of all values, [values * words of one value], on the CPU.
template <class T>
at::Tensor to_words(std::span<const T> values) {
  static_assert(consists_of_words<T>());
  const at::Tensor words =
      at::empty({static_cast<int64_t>(values.size()) * kWordsOf<T>}, at::kLong);
  if (!values.empty()) std::memcpy(words.data_ptr(), values.data(), values.size_bytes());
  return words;
}

// The inverse of to_words.
template <class T>
std::vector<T> from_words(const at::Tensor& words) {
  static_assert(consists_of_words<T>());
  std::vector<T> values(static_cast<size_t>(words.numel() / kWordsOf<T>));
  if (!values.empty()) std::memcpy(values.data(), words.data_ptr(), values.size() * sizeof(T));
  return values;
}

// Collective. Returns the values of all ranks, in rank order.
template <class T>
std::vector<T> gather_all(Communicator& group, const T& mine) {
  const at::Tensor words = to_words(std::span<const T>(&mine, 1));
  const at::Tensor all = at::empty({group.size() * kWordsOf<T>}, at::kLong);
  group.all_gather(all, words)->wait();
  return from_words<T>(all);
}

template <class Head, class Row>
struct HeadAndRows {
  Head head;
  std::vector<Row> rows;
};

// Collective, in one message. Returns the struct and the list of each rank, in rank order. The
// lists of all ranks must have the same length.
template <class Head, class Row>
std::vector<HeadAndRows<Head, Row>> gather_all(Communicator& group, const Head& head,
                                               const std::vector<Row>& rows) {
  const at::Tensor mine =
      at::cat({to_words(std::span<const Head>(&head, 1)), to_words(std::span<const Row>(rows))});
  std::vector<HeadAndRows<Head, Row>> all;
  for (const at::Tensor& words : gather_parts(group, mine)) {
    all.push_back({from_words<Head>(words.narrow(0, 0, kWordsOf<Head>)).front(),
                   from_words<Row>(words.slice(0, kWordsOf<Head>))});
  }
  return all;
}

// Collective. Returns the root's value on every rank.
template <class T>
T broadcast_from(Communicator& group, int root, const T& mine) {
  const at::Tensor words = to_words(std::span<const T>(&mine, 1));
  group.broadcast(words, root)->wait();
  return from_words<T>(words).front();
}

// One rank sends a list to another rank, which must know its length.
template <class T>
void send_to(Communicator& group, int destination, const std::vector<T>& values) {
  group.send(to_words(std::span<const T>(values)), destination)->wait();
}
template <class T>
std::vector<T> receive_from(Communicator& group, int source, size_t count) {
  const at::Tensor words = at::empty({static_cast<int64_t>(count) * kWordsOf<T>}, at::kLong);
  group.recv(words, source)->wait();
  return from_words<T>(words);
}

}  // namespace lmtrain
