// SHA-256 of what a reader got, piece by piece.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st;

namespace coldread {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void restart();
  void add(std::span<const std::byte> data);
  void add_zeros(uint64_t length);
  std::string hex();  // ends the digest: restart() before the next

 private:
  evp_md_ctx_st* context_;
};

// Of `length` bytes of `data` from `offset`; bytes beyond its end are zeros.
std::string sha256_of(std::span<const std::byte> data, uint64_t offset, uint64_t length);

}  // namespace coldread
