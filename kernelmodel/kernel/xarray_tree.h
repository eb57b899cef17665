// The data structure below XArray: a radix tree of 64-way nodes with marks (lib/xarray.c), without
// locking or scheduling.
//
// Each node carries, per mark, one bit for every slot under which something has that mark, and the
// same for "anything at all" and "no room left": so a search reads one word per level, however many
// entries there are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>

namespace coldread {

// What a search looks for. XA_PRESENT: any entry.
enum XaMark : uint8_t { XA_MARK_0, XA_MARK_1, XA_MARK_2, XA_PRESENT };

// 64-bit indices to non-null pointers. Nodes come from `memory` and are kept for reuse until the
// tree goes away; each operation is O(height), at most 11.
class XArrayTree {
 public:
  explicit XArrayTree(std::pmr::memory_resource& memory) : memory_(memory) {}
  ~XArrayTree();
  XArrayTree(const XArrayTree&) = delete;
  XArrayTree& operator=(const XArrayTree&) = delete;

  bool empty() const { return count_ == 0; }
  uint64_t count() const { return count_; }

  void* load(uint64_t index) const;
  // Whether Linux stores there without another node: what lies alone at 0 has none.
  bool has_node_for(uint64_t index) const;
  // Returns the old entry. Null erases. An entry that replaces another keeps its marks.
  void* store(uint64_t index, void* entry);

  bool get_mark(uint64_t index, XaMark mark) const;
  void set_mark(uint64_t index, XaMark mark);  // nothing happens if there is no entry
  void clear_mark(uint64_t index, XaMark mark);
  bool marked(XaMark mark) const;  // any entry has it

  // The first entry from *index to max (both included) with `filter`; moves *index there. Null, and
  // *index as it was, if there is none.
  void* find(uint64_t* index, uint64_t max, XaMark filter) const;
  // The first index without entry, from *index to max; false, and *index as it was, if there is
  // none.
  bool find_free(uint64_t* index, uint64_t max) const;

 private:
  struct Node;

  Node* leaf(uint64_t index) const;
  Node* new_node(unsigned shift, Node* parent, unsigned offset);
  void free_node(Node* node);
  void destroy(Node* node);
  bool covers(uint64_t index) const;
  Node* make_leaf(uint64_t index);
  void grow();
  void erase(Node* node, unsigned offset);
  void shrink();

  std::pmr::memory_resource& memory_;
  Node* root_ = nullptr;
  Node* free_ = nullptr;
  uint64_t count_ = 0;
};

}  // namespace coldread
