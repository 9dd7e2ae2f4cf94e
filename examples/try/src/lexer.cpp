#include <map>
#include <regex>

#include "problem.h"
#include "token.h"

static const std::map<char, TokenKind> brackets{
    {'(', TokenKind::Open}, {')', TokenKind::Close}, {',', TokenKind::Comma}};

std::vector<Token> tokens_of(std::string_view line) {
  static const std::regex word(R"((\d+\.?\d*)|([A-Za-z_]\w*)|([-+*/^=])|([(),])|\s+)");
  std::vector<Token> tokens;
  std::size_t position = 0;
  while (position < line.size()) {
    std::cmatch match;
    const char *begin = line.data() + position;
    if (!std::regex_search(begin, line.data() + line.size(), match, word, std::regex_constants::match_continuous))
      throw Problem("this does not belong here", position);
    std::string text = match.str();
    if (match[1].matched) tokens.push_back({TokenKind::Number, text, position});
    if (match[2].matched) tokens.push_back({TokenKind::Name, text, position});
    if (match[3].matched) tokens.push_back({TokenKind::Operator, text, position});
    if (match[4].matched) tokens.push_back({brackets.at(text[0]), text, position});
    position += text.size();
  }
  tokens.push_back({TokenKind::End, "", position});
  return tokens;
}
