#include "parser.h"

#include "number.h"
#include "problem.h"
#include "token.h"

namespace {

/// Precedence climbing: each level reads what binds at least as tightly as `floor`.
class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Tree whole() {
    Tree tree = level(0);
    if (now().kind != TokenKind::End) throw Problem("this is left over", now().position);
    return tree;
  }

 private:
  const Token &now() const { return tokens_[at_]; }
  Token take() { return tokens_[at_++]; }

  static int strength(const Token &token) {
    if (token.kind != TokenKind::Operator) return -1;
    switch (token.text[0]) {
      case '+': case '-': return 1;
      case '*': case '/': return 2;
      case '^': return 3;
      default: return -1;
    }
  }

  Tree level(int floor) {
    Tree left = atom();
    while (strength(now()) > floor) {
      Token sign = take();
      bool to_the_right = sign.text == "^";
      left = binary(sign.text[0], left, level(strength(sign) - (to_the_right ? 1 : 0)));
    }
    return left;
  }

  Tree atom() {
    Token token = take();
    if (token.kind == TokenKind::Number) return number(*number_value(token.text));
    if (token.kind == TokenKind::Name) return now().kind == TokenKind::Open ? arguments(token.text) : name(token.text);
    if (token.kind == TokenKind::Operator && token.text == "-") return binary('-', number(0), level(2));
    if (token.kind != TokenKind::Open) throw Problem("a value is missing before this " + std::string(kind_name(token.kind)), token.position);
    Tree inner = level(0);
    close();
    return inner;
  }

  Tree arguments(const std::string &function) {
    std::vector<Tree> list;
    do {
      take();
      list.push_back(level(0));
    } while (now().kind == TokenKind::Comma);
    close();
    return call(function, std::move(list));
  }

  void close() {
    if (take().kind != TokenKind::Close) throw Problem("a closing bracket is missing", tokens_[at_ - 1].position);
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

}  // namespace

Tree parse(std::string_view line) { return Parser(tokens_of(line)).whole(); }
