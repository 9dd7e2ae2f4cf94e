#include "simplify.h"

#include "evaluate.h"

static Tree simpler(char sign, const Tree &left, const Tree &right) {
  bool both = std::holds_alternative<Number>(left->what) && std::holds_alternative<Number>(right->what);
  if (both) return number(evaluate(binary(sign, left, right), {}));
  if (sign == '+' && is_number(left, 0)) return right;
  if ((sign == '+' || sign == '-') && is_number(right, 0)) return left;
  if (sign == '*' && (is_number(left, 0) || is_number(right, 0))) return number(0);
  if (sign == '*' && is_number(left, 1)) return right;
  if ((sign == '*' || sign == '/' || sign == '^') && is_number(right, 1)) return left;
  return binary(sign, left, right);
}

Tree simplified(const Tree &tree) {
  if (auto *both = std::get_if<Binary>(&tree->what)) return simpler(both->sign, simplified(both->left), simplified(both->right));
  if (auto *called = std::get_if<Call>(&tree->what)) {
    std::vector<Tree> arguments;
    for (const Tree &argument : called->arguments) arguments.push_back(simplified(argument));
    return call(called->function, std::move(arguments));
  }
  return tree;
}
