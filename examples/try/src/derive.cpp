#include "derive.h"

#include <functional>
#include <unordered_map>

#include "problem.h"
#include "simplify.h"

using Outer = std::function<Tree(const Tree &)>;

/// Derivatives of the functions of one argument, before the chain rule.
static const std::unordered_map<std::string, Outer> &outer_derivatives() {
  static const std::unordered_map<std::string, Outer> table{
      {"sin", [](const Tree &x) { return call("cos", {x}); }},
      {"cos", [](const Tree &x) { return binary('-', number(0), call("sin", {x})); }},
      {"exp", [](const Tree &x) { return call("exp", {x}); }},
      {"ln", [](const Tree &x) { return binary('/', number(1), x); }},
      {"root", [](const Tree &x) { return binary('/', number(0.5), call("root", {x})); }},
  };
  return table;
}

static Tree of_binary(const Binary &b, const std::string &variable) {
  Tree left = derived(b.left, variable), right = derived(b.right, variable);
  switch (b.sign) {
    case '+': case '-': return binary(b.sign, left, right);
    case '*': return binary('+', binary('*', left, b.right), binary('*', b.left, right));
    case '/':
      return binary('/', binary('-', binary('*', left, b.right), binary('*', b.left, right)),
                    binary('^', b.right, number(2)));
    default:
      if (!std::holds_alternative<Number>(b.right->what)) throw Problem("only powers with a fixed exponent are derived", 0);
      return binary('*', binary('*', b.right, binary('^', b.left, simplified(binary('-', b.right, number(1))))), left);
  }
}

Tree derived(const Tree &tree, const std::string &variable) {
  return simplified(std::visit(Cases{[](const Number &) { return number(0); },
                                     [&](const Name &n) { return number(n.text == variable ? 1 : 0); },
                                     [&](const Binary &b) { return of_binary(b, variable); },
                                     [&](const Call &c) {
                                       auto found = outer_derivatives().find(c.function);
                                       if (found == outer_derivatives().end() || c.arguments.size() != 1)
                                         throw Problem("`" + c.function + "` has no derivative here", 0);
                                       return binary('*', found->second(c.arguments[0]),
                                                     derived(c.arguments[0], variable));
                                     }},
                               tree->what));
}
