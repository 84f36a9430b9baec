// A topic of the hub: a log in memory and the subscribers that wait at its end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "greeter.pb.h"

// A message as the log keeps it: one copy, from which every subscriber sends.
using Message = std::shared_ptr<const StreamResData>;

// How many messages a topic keeps, how many a subscriber takes from the log at a time, and an
// offset that no log reaches.
inline constexpr size_t kRetention = 100'000;
inline constexpr size_t kBatch = 64;
inline constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

// A subscriber's place in a log.
//
// Exactly one party at a time has the subscriber's turn: it alone may send, finish or park. A
// parked subscriber's turn lies with the topic, and whoever unparks it takes the turn. A call lives
// until it is finished, so a subscriber that is parked, or whose turn one has, is never deleted.
struct Cursor {
  // Goes on after an unpark, by whoever has the turn now.
  virtual void Pump() = 0;

  // Guarded by the topic's mutex.
  uint64_t next = 0;      // what is taken from the log next
  uint64_t end = kNever;  // where it shall end
  bool follow = true;     // or end where the log does
  size_t slot = 0;        // where it is parked, if it is

  // Of the one who has the turn.
  std::vector<Message> batch;  // what was taken
  bool more = false;           // whether there was more

 protected:
  ~Cursor() = default;
};

// What there is for a subscriber.
enum class Taken { kBatch, kParked, kEnd, kLost };

// Where a log begins and ends.
struct Bounds {
  uint64_t earliest;
  uint64_t next;
};

// A log of messages and those who wait at its end.
class Topic {
 public:
  Topic(std::string name, std::string epoch) : name(std::move(name)), epoch(std::move(epoch)) {}

  const std::string name;
  const std::string epoch;

  Bounds bounds() {
    std::lock_guard<std::mutex> lock(mutex_);
    return {earliest_, End()};
  }

  // Appends what the request holds and wakes who waits for it. Returns its offset.
  uint64_t Append(StreamReqData* request) {
    auto message = std::make_shared<StreamResData>();
    message->set_data(std::move(*request->mutable_data()));
    Message dropped;  // freed after the lock
    std::vector<Cursor*> woken;
    uint64_t offset;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      offset = End();
      log_.push_back(std::move(message));
      if (log_.size() > kRetention) {
        dropped = std::move(log_.front());
        log_.pop_front();
        ++earliest_;
      }
      woken.swap(parked_);
    }
    for (Cursor* cursor : woken) cursor->Pump();
    return offset;
  }

  // Takes the next messages, or parks the cursor. After kParked it may be gone.
  Taken Take(Cursor* cursor) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (cursor->next >= cursor->end) return Taken::kEnd;
    if (cursor->next < earliest_) return Taken::kLost;
    const uint64_t end = std::min(End(), cursor->end);
    if (cursor->next < end) {
      const size_t count = std::min<uint64_t>(end - cursor->next, kBatch);
      const auto first = log_.begin() + (cursor->next - earliest_);
      cursor->batch.assign(first, first + count);
      cursor->next += count;
      cursor->more = cursor->next < end;
      return Taken::kBatch;
    }
    if (!cursor->follow) return Taken::kEnd;
    cursor->slot = parked_.size();
    parked_.push_back(cursor);
    return Taken::kParked;
  }

  // Ends the cursor at an offset, or where the log ends now. Returns whether that unparked it.
  bool EndAt(Cursor* cursor, uint64_t offset = kNever) {
    std::lock_guard<std::mutex> lock(mutex_);
    cursor->end = std::min({cursor->end, offset, End()});
    const size_t slot = cursor->slot;
    if (slot >= parked_.size() || parked_[slot] != cursor) return false;
    parked_[slot] = parked_.back();
    parked_[slot]->slot = slot;
    parked_.pop_back();
    return true;
  }

 private:
  uint64_t End() const { return earliest_ + log_.size(); }

  std::mutex mutex_;
  std::deque<Message> log_;
  uint64_t earliest_ = 0;
  std::vector<Cursor*> parked_;
};
