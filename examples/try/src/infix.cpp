#include <sstream>

#include "number.h"
#include "printers.h"

static int strength(const Tree &tree) {
  auto *both = std::get_if<Binary>(&tree->what);
  if (!both) return 4;
  return both->sign == '^' ? 3 : both->sign == '*' || both->sign == '/' ? 2 : 1;
}

static std::string enclosed(const Tree &tree, int floor) {
  return strength(tree) < floor ? "(" + infix(tree) + ")" : infix(tree);
}

std::string infix(const Tree &tree) {
  return std::visit(Cases{[](const Number &n) { return number_text(n.value); }, [](const Name &n) { return n.text; },
                          [&](const Binary &b) {
                            int own = strength(tree);
                            return enclosed(b.left, own) + " " + b.sign + " " + enclosed(b.right, own + 1);
                          },
                          [](const Call &c) {
                            std::ostringstream text;
                            text << c.function << '(';
                            for (std::size_t i = 0; i < c.arguments.size(); ++i) text << (i ? ", " : "") << infix(c.arguments[i]);
                            text << ')';
                            return text.str();
                          }},
                    tree->what);
}
