// The changes that only mounted images show: what looks for the others in scenarios and calls
// leaves these to ErofsChanges in tests/fuse/mount/erofs_test.cpp, which shows each with it and
// without.
#pragma once

#include "kernelmodel/profile.h"

namespace coldread {

inline constexpr Change kChangesOfMounts[] = {Change::erofs_shared_domain,
                                              Change::erofs_domain_fsid_unique,
                                              Change::erofs_large_folios,
                                              Change::erofs_xattr_prefixes,
                                              Change::erofs_fscache_compressed,
                                              Change::erofs_fscache_deprecated,
                                              Change::erofs_directio};

}  // namespace coldread
