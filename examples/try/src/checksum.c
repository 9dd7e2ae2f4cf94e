#include "checksum.h"

uint32_t checksum(const char *text, size_t length) {
  uint32_t sum = 2166136261u;
  for (size_t i = 0; i < length; i++) sum = (sum ^ (unsigned char)text[i]) * 16777619u;
  return sum;
}
