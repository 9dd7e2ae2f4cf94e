#include "evaluate.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "functions.h"
#include "problem.h"

static double combine(char sign, double left, double right) {
  switch (sign) {
    case '+': return left + right;
    case '-': return left - right;
    case '*': return left * right;
    case '/': return left / right;
    default: return std::pow(left, right);
  }
}

static double value_of(const Name &name, const Variables &variables) {
  if (auto own = variables.find(name.text); own != variables.end()) return own->second;
  if (auto known = constants().find(name.text); known != constants().end()) return known->second;
  throw Problem("`" + name.text + "` has no value", 0);
}

double evaluate(const Tree &tree, const Variables &variables) {
  return std::visit(
      Cases{[](const Number &n) { return n.value; }, [&](const Name &n) { return value_of(n, variables); },
            [&](const Binary &b) { return combine(b.sign, evaluate(b.left, variables), evaluate(b.right, variables)); },
            [&](const Call &c) {
              auto found = functions().find(c.function);
              if (found == functions().end()) throw Problem("there is no function `" + c.function + "`", 0);
              std::vector<double> values;
              std::transform(c.arguments.begin(), c.arguments.end(), std::back_inserter(values),
                             [&](const Tree &argument) { return evaluate(argument, variables); });
              return found->second(values);
            }},
      tree->what);
}
