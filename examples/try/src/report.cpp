#include "report.h"

#include <iostream>

#include "checksum.h"
#include "number.h"
#include "text.h"

void write_report(std::ostream &out, const Session &session) {
  std::string all;
  for (const std::string &line : session.history()) all += line + '\n';
  out << session.history().size() << " lines, checksum " << std::hex << checksum(all.data(), all.size()) << std::dec << '\n';
  for (const auto &[name, value] : session.variables()) out << padded(name, 8) << number_text(value) << '\n';
}
