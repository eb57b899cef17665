#include "kernelmodel/kernel/wait_list.h"

namespace coldread {

void wait_for_turn(Scheduler& scheduler, WaitList& list, Waiter& waiter, const WaitReason& reason) {
  list.push_back(waiter);
  while (!waiter.granted) scheduler.block(reason);
}

}  // namespace coldread
