#pragma once

#include <concepts>
#include <limits>
#include <type_traits>

// What the generated records are made with, and how they are walked through.
namespace cps {

// How the values of an enumeration are written in a record: Spelled<E>::all.
template <typename E>
struct Spelling {
  const char* name;
  E value;
};
template <typename E>
struct Spelled;

// What a number may be; both ends count.
struct Limits {
  double least, most;
};
inline constexpr double kNoLimit = std::numeric_limits<double>::infinity();
inline constexpr double kLeastDouble = std::numeric_limits<double>::denorm_min();

template <typename T, typename Record>
concept RecordLike = std::same_as<std::remove_const_t<T>, Record>;

// visitFields calls v(name, field) for every field, with Limits for numbers and lists of them. Of a
// union, visitValue calls v(kind, value) for what it holds, and holdKind makes it hold another
// kind.
template <typename T>
inline constexpr bool kHasFields = false;
template <typename T>
inline constexpr bool kIsUnion = false;

}  // namespace cps
