#include "kernelmodel/kernel/xarray_tree.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <new>

namespace coldread {

namespace {

constexpr unsigned kBits = 6;
constexpr unsigned kSlots = 1U << kBits;
constexpr unsigned kTopShift = 60;  // of a node that covers all indices, with 16 slots of its own
constexpr unsigned kTopSlots = 16;
constexpr unsigned kSets = 4;  // XA_MARK_0 .. XA_PRESENT

constexpr uint64_t bit(unsigned offset) {
  return uint64_t{1} << offset;
}
constexpr uint64_t from(unsigned offset) {
  return ~uint64_t{0} << offset;
}
constexpr uint64_t behind(unsigned offset) {
  return from(offset) << 1;
}

}  // namespace

struct XArrayTree::Node {
  uint64_t sets[kSets] = {};  // by XaMark: the slots under which something has it
  uint64_t full = 0;          // the slots under which there is no room
  uint64_t first = 0;         // the lowest index below
  Node* parent = nullptr;
  uint8_t shift = 0;   // a slot covers 2^shift indices; 0: slots are entries, else nodes
  uint8_t offset = 0;  // in parent
  void* slots[kSlots] = {};

  unsigned offset_of(uint64_t index) const {
    return static_cast<unsigned>(index >> shift) % kSlots;
  }
  uint64_t first_of(unsigned slot) const { return first + (uint64_t{slot} << shift); }
  Node* child(unsigned slot) const { return static_cast<Node*>(slots[slot]); }

  // In this node and, where that says something new about it, in the ones above.
  void add(unsigned slot, unsigned set) {
    Node* node = this;
    while (node != nullptr && (node->sets[set] & bit(slot)) == 0) {
      node->sets[set] |= bit(slot);
      slot = node->offset;
      node = node->parent;
    }
  }
  void remove(unsigned slot, unsigned set) {
    for (Node* node = this; node != nullptr; node = node->parent) {
      node->sets[set] &= ~bit(slot);
      if (node->sets[set] != 0) return;
      slot = node->offset;
    }
  }
  void add_full(unsigned slot) {
    for (Node* node = this; node != nullptr; node = node->parent) {
      node->full |= bit(slot);
      if (node->full != ~uint64_t{0}) return;
      slot = node->offset;
    }
  }
  void remove_full(unsigned slot) {
    for (Node* node = this; node != nullptr; node = node->parent) {
      const bool was_full = node->full == ~uint64_t{0};
      node->full &= ~bit(slot);
      if (!was_full) return;
      slot = node->offset;
    }
  }
};

// --- nodes ---

XArrayTree::~XArrayTree() {
  if (root_ != nullptr) destroy(root_);
  while (free_ != nullptr) {
    Node* node = free_;
    free_ = node->parent;
    memory_.deallocate(node, sizeof(Node), alignof(Node));
  }
}

void XArrayTree::destroy(Node* node) {
  for (uint64_t children = node->shift > 0 ? node->sets[XA_PRESENT] : 0; children != 0;
       children &= children - 1)
    destroy(node->child(static_cast<unsigned>(std::countr_zero(children))));
  memory_.deallocate(node, sizeof(Node), alignof(Node));
}

// Empty, but for the slots that a node at the top does not have: nothing fits there.
XArrayTree::Node* XArrayTree::new_node(unsigned shift, Node* parent, unsigned offset) {
  Node* node = free_;
  if (node != nullptr)
    free_ = node->parent;
  else
    node = new (memory_.allocate(sizeof(Node), alignof(Node))) Node;
  node->full = shift == kTopShift ? from(kTopSlots) : 0;
  node->first = parent != nullptr ? parent->first_of(offset) : 0;
  node->parent = parent;
  node->shift = static_cast<uint8_t>(shift);
  node->offset = static_cast<uint8_t>(offset);
  if (parent != nullptr) parent->slots[offset] = node;
  return node;
}

// It must be empty, so that the next user finds it as new.
void XArrayTree::free_node(Node* node) {
  node->parent = free_;
  free_ = node;
}

bool XArrayTree::covers(uint64_t index) const {
  return root_ != nullptr && (index >> root_->shift) < kSlots;
}

// The leaf node for `index`; null if there is none yet.
XArrayTree::Node* XArrayTree::leaf(uint64_t index) const {
  if (!covers(index)) return nullptr;
  Node* node = root_;
  while (node != nullptr && node->shift > 0) node = node->child(node->offset_of(index));
  return node;
}

// The same, made if need be.
XArrayTree::Node* XArrayTree::make_leaf(uint64_t index) {
  if (root_ == nullptr) {
    const auto width = std::max(static_cast<unsigned>(std::bit_width(index)), 1U);
    root_ = new_node((width - 1) / kBits * kBits, nullptr, 0);
  }
  while (!covers(index)) grow();
  Node* node = root_;
  while (node->shift > 0) {
    const unsigned offset = node->offset_of(index);
    Node* next = node->child(offset);
    node = next != nullptr ? next : new_node(node->shift - kBits, node, offset);
  }
  return node;
}

// One more level on top.
void XArrayTree::grow() {
  Node* below = root_;
  root_ = new_node(below->shift + kBits, nullptr, 0);
  root_->slots[0] = below;
  for (unsigned set = 0; set < kSets; set++)
    if (below->sets[set] != 0) root_->sets[set] = bit(0);
  if (below->full == ~uint64_t{0}) root_->full |= bit(0);
  below->parent = root_;
  below->offset = 0;
}

// --- entries ---

void* XArrayTree::load(uint64_t index) const {
  const Node* node = leaf(index);
  return node != nullptr ? node->slots[node->offset_of(index)] : nullptr;
}

bool XArrayTree::has_node_for(uint64_t index) const {
  if (count_ == 0 || (count_ == 1 && load(0) != nullptr)) return index == 0;
  return leaf(index) != nullptr;
}

void* XArrayTree::store(uint64_t index, void* entry) {
  Node* node = entry != nullptr ? make_leaf(index) : leaf(index);
  if (node == nullptr) return nullptr;
  const unsigned offset = node->offset_of(index);
  void* old = node->slots[offset];
  if (old != nullptr && entry == nullptr) {
    erase(node, offset);
  } else if (old == nullptr && entry != nullptr) {
    node->add(offset, XA_PRESENT);
    node->add_full(offset);
    count_++;
  }
  if (entry != nullptr) node->slots[offset] = entry;
  return old;
}

void XArrayTree::erase(Node* node, unsigned offset) {
  node->slots[offset] = nullptr;
  for (unsigned set = 0; set < kSets; set++)
    if ((node->sets[set] & bit(offset)) != 0) node->remove(offset, set);
  node->remove_full(offset);
  count_--;
  while (node != nullptr && node->sets[XA_PRESENT] == 0) {
    Node* parent = node->parent;
    if (parent != nullptr)
      parent->slots[node->offset] = nullptr;
    else
      root_ = nullptr;
    free_node(node);
    node = parent;
  }
  shrink();
}

// Takes away levels on top that hold nothing but their first slot.
void XArrayTree::shrink() {
  while (root_ != nullptr && root_->shift > 0 && root_->sets[XA_PRESENT] == bit(0)) {
    Node* top = root_;
    root_ = top->child(0);
    root_->parent = nullptr;
    top->slots[0] = nullptr;
    std::fill(std::begin(top->sets), std::end(top->sets), uint64_t{0});
    free_node(top);
  }
}

// --- marks ---

bool XArrayTree::get_mark(uint64_t index, XaMark mark) const {
  const Node* node = leaf(index);
  return node != nullptr && (node->sets[mark] & bit(node->offset_of(index))) != 0;
}

void XArrayTree::set_mark(uint64_t index, XaMark mark) {
  if (get_mark(index, XA_PRESENT)) {
    Node* node = leaf(index);
    node->add(node->offset_of(index), mark);
  }
}

void XArrayTree::clear_mark(uint64_t index, XaMark mark) {
  if (get_mark(index, mark)) {
    Node* node = leaf(index);
    node->remove(node->offset_of(index), mark);
  }
}

bool XArrayTree::marked(XaMark mark) const {
  return root_ != nullptr && root_->sets[mark] != 0;
}

// --- searches ---

void* XArrayTree::find(uint64_t* index, uint64_t max, XaMark filter) const {
  uint64_t at = *index;
  if (!covers(at)) return nullptr;
  const Node* node = root_;
  uint64_t hits = node->sets[filter] & from(node->offset_of(at));
  for (;;) {
    while (hits == 0) {
      if (node->parent == nullptr) return nullptr;
      hits = node->parent->sets[filter] & behind(node->offset);
      node = node->parent;
    }
    const auto offset = static_cast<unsigned>(std::countr_zero(hits));
    at = std::max(at, node->first_of(offset));
    if (at > max) return nullptr;
    if (node->shift == 0) {
      *index = at;
      return node->slots[offset];
    }
    node = node->child(offset);
    hits = node->sets[filter] & from(node->offset_of(at));
  }
}

bool XArrayTree::find_free(uint64_t* index, uint64_t max) const {
  uint64_t at = *index;
  const Node* node = covers(at) ? root_ : nullptr;
  uint64_t room = node != nullptr ? ~node->full & from(node->offset_of(at)) : 0;
  while (node != nullptr) {
    if (room == 0) {
      if (node->parent != nullptr) {
        room = ~node->parent->full & behind(node->offset);
      } else {
        if (node->shift == kTopShift) return false;
        at = uint64_t{1} << (node->shift + kBits);  // the first index that is not covered
      }
      node = node->parent;
      continue;
    }
    const auto offset = static_cast<unsigned>(std::countr_zero(room));
    at = std::max(at, node->first_of(offset));
    node = node->shift > 0 ? node->child(offset) : nullptr;
    if (node != nullptr) room = ~node->full & from(node->offset_of(at));
  }
  if (at > max) return false;
  *index = at;
  return true;
}

}  // namespace coldread
