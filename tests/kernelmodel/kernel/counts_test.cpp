// Reference counts and atomic numbers.
#include <string>

#include "kernelmodel/kernel/ref_count.h"
#include "tests/kernelmodel/kernel/schedules.h"

namespace coldread {
namespace {

class Counts : public EverySchedule {};

TEST_P(Counts, ExactlyOneDropsTheLastReference) {
  RefCount references(scheduler, "object->ref", 1);
  int last = 0;
  for (int i = 0; i < 4; i++)
    run.spawn("task", [&] {
      if (!references.inc_not_zero()) return;
      references.get();
      last += references.put();
      last += references.put();
    });
  run.spawn("owner", [&] { last += references.put(); });
  run.finish();
  EXPECT_EQ(last, 1);
  EXPECT_EQ(references.read(), 0);
}

TEST_P(Counts, StepsOfAnAtomicAreNotTorn) {
  AtomicCount count(scheduler);
  AtomicLong total(scheduler, int64_t{1} << 40);
  int zeros = 0;
  for (int i = 0; i < 4; i++)
    run.spawn("task", [&] {
      for (int round = 0; round < 10; round++) {
        count.inc();
        total.add(2);
        for (int seen = count.read();;) {
          const int before = count.cmpxchg(seen, seen + 1);
          if (before == seen) break;
          seen = before;
        }
        count.dec();
        zeros += count.dec_and_test();
      }
    });
  run.finish();
  EXPECT_EQ(count.read(), 0);
  EXPECT_GE(zeros, 1);
  EXPECT_EQ(total.read(), (int64_t{1} << 40) + 80);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Counts, schedules());

using CountSteps = OneSchedule;

TEST_F(CountSteps, Atomic) {
  AtomicCount count(scheduler, 3);
  EXPECT_EQ(count.inc_return(), 4);
  EXPECT_EQ(count.dec_return(), 3);
  EXPECT_EQ(count.add_return(-2), 1);
  EXPECT_TRUE(count.dec_and_test());
  EXPECT_FALSE(count.inc_not_zero());
  EXPECT_FALSE(count.dec_if_positive());
  EXPECT_TRUE(count.inc_unless_negative());
  EXPECT_TRUE(count.inc_not_zero());
  EXPECT_TRUE(count.dec_if_positive());
  EXPECT_EQ(count.xchg(-1), 1);
  EXPECT_FALSE(count.inc_unless_negative());
  EXPECT_TRUE(count.inc_not_zero());  // to 0
  EXPECT_EQ(count.cmpxchg(5, 6), 0);
  EXPECT_EQ(count.cmpxchg(0, 6), 0);
  EXPECT_EQ(count.read(), 6);
  count.set(9);
  EXPECT_EQ(count.peek(), 9);
}

TEST_F(CountSteps, ReferencesTellWhatTheyWere) {
  RefCount references(scheduler, "ref", 1);
  int before = 0;
  references.get(&before);
  EXPECT_EQ(before, 1);
  EXPECT_TRUE(references.inc_not_zero(&before));
  EXPECT_EQ(before, 2);
  EXPECT_FALSE(references.put(&before));
  EXPECT_EQ(before, 3);
  EXPECT_EQ(references.peek(), 2);
}

TEST_F(CountSteps, PutBelowZero) {
  RefCount references(scheduler, "cookie->ref", 1);
  run.spawn("task", [&] {
    EXPECT_TRUE(references.put());
    references.put();
  });
  EXPECT_EQ(run.report(ReportKind::refcount),
            "the reference count cookie->ref was dropped when it was 0, by task");
}

TEST_F(CountSteps, RevivalFromZero) {
  RefCount references(scheduler, "cookie->ref", 1);
  run.spawn("task", [&] {
    EXPECT_TRUE(references.put());
    EXPECT_FALSE(references.inc_not_zero());
    references.get();
  });
  EXPECT_EQ(run.report(ReportKind::refcount),
            "the reference count cookie->ref was taken when it was 0, by task");
}

}  // namespace
}  // namespace coldread
