#include "printers.h"

Json as_json(const Tree &tree) {
  return std::visit(Cases{[](const Number &n) { return Json{n.value}; }, [](const Name &n) { return Json{n.text}; },
                          [](const Binary &b) {
                            return Json{Json::Object{{"sign", Json{std::string(1, b.sign)}},
                                                     {"left", as_json(b.left)},
                                                     {"right", as_json(b.right)}}};
                          },
                          [](const Call &c) {
                            Json::List arguments;
                            for (const Tree &argument : c.arguments) arguments.push_back(as_json(argument));
                            return Json{Json::Object{{"call", Json{c.function}}, {"arguments", Json{arguments}}}};
                          }},
                    tree->what);
}
