#include "token.h"

#include <array>

std::string_view kind_name(TokenKind kind) {
  static constexpr std::array<std::string_view, 7> names{"number", "name",  "operator", "opening bracket",
                                                         "closing bracket", "comma", "end"};
  return names.at(static_cast<std::size_t>(kind));
}
