// The name of an object's file, made from its key: printable keys as they are, the rest in the
// shortest of three encodings.
//
// Models fs/cachefiles/key.c. On-disk format: a cache filled by one kernel is read by another.
#include <cstring>

#include "kernelmodel/cachefiles/internal.h"

namespace coldread {
namespace {

constexpr char kBase64[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";

// What may stand in a file name as it is: printable ASCII without space and '/', and DEL.
bool passes(uint8_t c) {
  return c > 0x20 && c < 0x80 && c != '/';
}

unsigned hex_digits(uint32_t word) {
  unsigned digits = 0;
  for (; word != 0; word >>= 4) digits++;
  return digits;
}

uint32_t word_at(const uint8_t* key, size_t at, bool big_endian) {
  uint32_t word = 0;
  for (size_t i = 0; i < 4; i++) {
    word |= static_cast<uint32_t>(key[at + i]) << (8 * (big_endian ? 3 - i : i));
  }
  return word;
}

char* put_hex(char* to, uint32_t word) {
  for (unsigned digits = hex_digits(word); digits-- > 0;) {
    *to++ = kBase64[(word >> (4 * digits)) & 15];
  }
  return to;
}

char* put_words(char* to, const uint8_t* key, size_t padded, bool big_endian) {
  *to++ = big_endian ? 'S' : 'T';
  for (size_t at = 0; at < padded; at += 4) {
    if (at > 0) *to++ = ',';
    to = put_hex(to, word_at(key, at, big_endian));
  }
  return to;
}

char* put_base64(char* to, const uint8_t* key, size_t length) {
  const size_t triples = (length + 2) / 3;
  *to++ = 'E';
  *to++ = static_cast<char>('0' + (3 * triples - length));
  for (size_t at = 0; at < 3 * triples; at += 3) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 3 && at + i < length; i++) {
      bits |= static_cast<uint32_t>(key[at + i]) << (8 * i);
    }
    for (unsigned i = 0; i < 4; i++, bits >>= 6) *to++ = kBase64[bits & 63];
  }
  return to;
}

}  // namespace

void cachefiles_cook_key(ObjectHandle object) {
  const CookieHandle cookie = object->cookie;
  // The key's buffer is zero-padded past its length.
  const auto* key = reinterpret_cast<const uint8_t*>(cookie->key.data());
  const size_t length = cookie->key_len;
  if (length > kNameMax - 3) {
    object->cookie->kernel->scheduler.broken(ReportKind::warning, "BUG: key too long to cook");
  }
  char* to = object->d_name.data();

  bool printable = true;
  for (size_t i = 0; i < length; i++) printable = printable && passes(key[i]);
  if (printable) {
    *to++ = 'D';
    std::memcpy(to, key, length);
    to += length;
  } else {
    const size_t padded = round_up(length, 4);
    size_t big = 0;
    size_t little = 0;
    for (size_t at = 0; at < padded; at += 4) {
      big += 1 + hex_digits(word_at(key, at, true));
      little += 1 + hex_digits(word_at(key, at, false));
    }
    const size_t base64 = 2 + 4 * ((length + 2) / 3);
    if (big < base64 || little < base64) {
      to = put_words(to, key, padded, big <= little);
    } else {
      to = put_base64(to, key, length);
    }
  }
  object->d_name_len = static_cast<uint8_t>(to - object->d_name.data());
}

}  // namespace coldread
