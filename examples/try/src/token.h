// The words of an expression.
#pragma once
#include <string>
#include <string_view>
#include <vector>

enum class TokenKind { Number, Name, Operator, Open, Close, Comma, End };

struct Token {
  TokenKind kind;
  std::string text;
  std::size_t position;
};

std::vector<Token> tokens_of(std::string_view line);
std::string_view kind_name(TokenKind kind);
