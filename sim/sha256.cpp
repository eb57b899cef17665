#include "sim/sha256.h"

#include <fmt/core.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <new>

namespace coldread {

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (context_ == nullptr) throw std::bad_alloc();
  restart();
}

Sha256::~Sha256() {
  EVP_MD_CTX_free(context_);
}

void Sha256::restart() {
  if (EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
}

void Sha256::add(std::span<const std::byte> data) {
  EVP_DigestUpdate(context_, data.data(), data.size());
}

void Sha256::add_zeros(uint64_t length) {
  static constexpr std::array<std::byte, 4096> kZeros{};
  for (; length > 0; length -= std::min<uint64_t>(length, kZeros.size()))
    add(std::span(kZeros).first(std::min<uint64_t>(length, kZeros.size())));
}

std::string Sha256::hex() {
  std::array<std::byte, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  EVP_DigestFinal_ex(context_, reinterpret_cast<unsigned char*>(digest.data()), &length);
  std::string text;
  for (unsigned i = 0; i < length; ++i) {
    text += fmt::format("{:02x}", static_cast<unsigned>(digest[i]));
  }
  return text;
}

std::string sha256_of(std::span<const std::byte> data, uint64_t offset, uint64_t length) {
  const uint64_t from = std::min<uint64_t>(offset, data.size());
  const uint64_t inside = std::min<uint64_t>(length, data.size() - from);
  Sha256 digest;
  digest.add(data.subspan(from, inside));
  digest.add_zeros(length - inside);
  return digest.hex();
}

}  // namespace coldread
