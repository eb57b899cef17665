// Names of the netfs' enumerations, as tracepoints print them.
#include "kernelmodel/netfs/netfs.h"

namespace coldread {

const char* netfs_source_name(netfs_io_source source) {
  switch (source) {
    case NETFS_FILL_WITH_ZEROES:
      return "ZERO";
    case NETFS_DOWNLOAD_FROM_SERVER:
      return "DOWN";
    case NETFS_READ_FROM_CACHE:
      return "READ";
    case NETFS_INVALID_READ:
      return "INVL";
    case NETFS_SOURCE_UNKNOWN:
      break;
  }
  return "----";
}

}  // namespace coldread
