#include <sstream>

#include "number.h"
#include "printers.h"

static void write(std::ostream &out, const Tree &tree) {
  std::visit(Cases{[&](const Number &n) { out << number_text(n.value); }, [&](const Name &n) { out << n.text; },
                   [&](const Binary &b) {
                     out << '(' << b.sign << ' ';
                     write(out, b.left);
                     out << ' ';
                     write(out, b.right);
                     out << ')';
                   },
                   [&](const Call &c) {
                     out << '(' << c.function;
                     for (const Tree &argument : c.arguments) write(out << ' ', argument);
                     out << ')';
                   }},
             tree->what);
}

std::string lisp(const Tree &tree) {
  std::ostringstream out;
  write(out, tree);
  return out.str();
}
