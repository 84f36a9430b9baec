// The Greeter hub in C++: measuring gear, not a product. It is the same minimal hub (topics in
// memory, subscribers as cursors) on what a user would pick instead: gRPC's own C++ library, with
// its callback API, as one would write it by hand first, but well.
//
// Every call needs the metadata `topic`. Of the rest there is `from` (latest, earliest or an
// offset, with `epoch`) and `follow`; `producer` and `sequence` are ignored.

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <charconv>
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "greeter.grpc.pb.h"
#include "rich_status.pb.h"
#include "topic.h"

namespace {

using grpc::CallbackServerContext;
using grpc::Status;
using grpc::StatusCode;
using GetReactor = grpc::ServerWriteReactor<StreamResData>;
using PutReactor = grpc::ServerReadReactor<StreamReqData>;
using AllReactor = grpc::ServerBidiReactor<StreamReqData, StreamResData>;

constexpr char kNameChars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-";

// OUT_OF_RANGE, with what the topic has: in words, and for programs in the details.
Status OutOfRange(const Topic& topic, const char* reason, const std::string& why, Bounds bounds) {
  const std::string earliest = std::to_string(bounds.earliest);
  const std::string next = std::to_string(bounds.next);
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("greeter-stream");
  auto& metadata = *info.mutable_metadata();
  metadata["topic"] = topic.name;
  metadata["epoch"] = topic.epoch;
  metadata["earliest"] = earliest;
  metadata["next"] = next;
  google::rpc::Status rich;
  rich.set_code(StatusCode::OUT_OF_RANGE);
  rich.set_message("topic " + topic.name + why + ": its earliest is " + earliest +
                   " and its next " + next);
  rich.add_details()->PackFrom(info);
  return Status(StatusCode::OUT_OF_RANGE, rich.message(), rich.SerializeAsString());
}

Status NoSuchOffset(const Topic& topic, uint64_t offset, Bounds bounds) {
  return OutOfRange(topic, "NO_SUCH_OFFSET", " has no offset " + std::to_string(offset), bounds);
}

Status Invalid(const std::string& key, const std::string& why) {
  return Status(StatusCode::INVALID_ARGUMENT, "metadata `" + key + "`: " + why);
}

// The value of a metadata key.
std::optional<std::string> Value(const CallbackServerContext& context, const char* key) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(key);
  if (found == metadata.end()) return std::nullopt;
  return std::string(found->second.data(), found->second.size());
}

// Puts the cursor where the call wants it.
Status Place(Topic* topic, const CallbackServerContext& context, Cursor* cursor) {
  const Bounds bounds = topic->bounds();
  const std::string from = Value(context, "from").value_or("latest");
  if (from == "latest") {
    cursor->next = bounds.next;
  } else if (from == "earliest") {
    cursor->next = bounds.earliest;
  } else {
    const char* end = from.data() + from.size();
    const auto [rest, error] = std::from_chars(from.data(), end, cursor->next);
    if (error != std::errc() || rest != end) {
      return Invalid("from", "is not latest, earliest or an offset");
    }
    const auto epoch = Value(context, "epoch");
    if (epoch && *epoch != topic->epoch) {
      const std::string why = " lives its epoch " + topic->epoch + ", not " + *epoch;
      return OutOfRange(*topic, "OTHER_EPOCH", why, bounds);
    }
    if (cursor->next < bounds.earliest || cursor->next > bounds.next) {
      return NoSuchOffset(*topic, cursor->next, bounds);
    }
  }
  const std::string follow = Value(context, "follow").value_or("true");
  if (follow != "true" && follow != "false") return Invalid("follow", "is neither true nor false");
  cursor->follow = follow == "true";
  return Status::OK;
}

// A call that ends at once.
template <class Reactor>
class Refused final : public Reactor {
 public:
  explicit Refused(Status status) { this->Finish(std::move(status)); }
  void OnDone() override { delete this; }
};

// GetStream, and the sending half of AllStream.
template <class Reactor>
class Subscriber : public Reactor, public Cursor {
 public:
  explicit Subscriber(Topic* topic) : topic_(topic) {}

  // Begins to send. The cursor has its place.
  void Start(CallbackServerContext* context) {
    context->AddInitialMetadata("epoch", topic_->epoch);
    context->AddInitialMetadata("offset", std::to_string(next));
    this->StartSendInitialMetadata();
    Pump();
  }

  // Sends the next message, finishes or parks. Whoever calls it has the turn, and gives it away.
  void Pump() final {
    if (sent_ == batch.size()) {
      batch.clear();
      sent_ = 0;
      const Taken taken = topic_->Take(this);
      if (taken == Taken::kParked) return;
      if (taken == Taken::kEnd) return this->Finish(Status::OK);
      if (taken == Taken::kLost) {
        return this->Finish(NoSuchOffset(*topic_, next, topic_->bounds()));
      }
    }
    const StreamResData* message = batch[sent_++].get();
    grpc::WriteOptions options;
    // Another write, or the end of the call, follows at once and takes this message along.
    if (sent_ < batch.size() || more) options.set_buffer_hint();
    this->StartWrite(message, options);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return this->Finish(Status::CANCELLED);
    Pump();
  }

  void OnCancel() override {
    // If it was not parked, whoever has the turn finds out: a write fails or nothing is left. The
    // status does not matter then.
    if (topic_->EndAt(this, 0)) Pump();
  }

  void OnDone() override { delete this; }

 protected:
  Topic* const topic_;

 private:
  size_t sent_ = 0;  // of the batch
};

using Getting = Subscriber<GetReactor>;

// AllStream: the same, beside a receiving half.
class Talking final : public Subscriber<AllReactor> {
 public:
  using Subscriber::Subscriber;

  void Start(CallbackServerContext* context) {
    StartRead(&request_);
    Subscriber::Start(context);
  }

  void OnReadDone(bool ok) override {
    if (ok) {
      topic_->Append(&request_);
      StartRead(&request_);
    } else if (topic_->EndAt(this)) {
      Pump();
    }
  }

 private:
  StreamReqData request_;
};

// PutStream.
class Putting final : public PutReactor {
 public:
  Putting(Topic* topic, StreamResData* response) : topic_(topic), response_(response) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (ok) {
      last_ = topic_->Append(&request_);
      if (accepted_++ == 0) first_ = last_;
      StartRead(&request_);
    } else {
      response_->set_data(Receipt());
      Finish(Status::OK);
    }
  }

  void OnDone() override { delete this; }

 private:
  // One line of JSON. Nothing in a topic's name needs an escape.
  std::string Receipt() const {
    const std::string first = accepted_ > 0 ? std::to_string(first_) : "null";
    const std::string last = accepted_ > 0 ? std::to_string(last_) : "null";
    return R"({"topic":")" + topic_->name + R"(","epoch":")" + topic_->epoch + R"(","first":)" +
           first + R"(,"last":)" + last + R"(,"accepted":)" + std::to_string(accepted_) +
           R"(,"duplicates":0})";
  }

  Topic* const topic_;
  StreamResData* const response_;
  StreamReqData request_;
  uint64_t first_ = 0;
  uint64_t last_ = 0;
  uint64_t accepted_ = 0;
};

// 16 hexadecimal digits that no other process has: the time in nanoseconds.
std::string NewEpoch() {
  const std::chrono::nanoseconds now = std::chrono::system_clock::now().time_since_epoch();
  char text[17];
  std::snprintf(text, sizeof text, "%016" PRIx64, static_cast<uint64_t>(now.count()));
  return text;
}

class Hub final : public Greeter::CallbackService {
 public:
  GetReactor* GetStream(CallbackServerContext* context, const StreamReqData*) override {
    return Subscribe<GetReactor, Getting>(context);
  }

  PutReactor* PutStream(CallbackServerContext* context, StreamResData* response) override {
    Topic* topic;
    Status status = Find(*context, &topic);
    if (!status.ok()) return new Refused<PutReactor>(std::move(status));
    return new Putting(topic, response);
  }

  AllReactor* AllStream(CallbackServerContext* context) override {
    return Subscribe<AllReactor, Talking>(context);
  }

 private:
  template <class Reactor, class Call>
  Reactor* Subscribe(CallbackServerContext* context) {
    Topic* topic;
    Status status = Find(*context, &topic);
    if (!status.ok()) return new Refused<Reactor>(std::move(status));
    auto call = std::make_unique<Call>(topic);
    status = Place(topic, *context, call.get());
    if (!status.ok()) return new Refused<Reactor>(std::move(status));
    call->Start(context);
    return call.release();
  }

  // The topic that the call names; it is made if there is none.
  Status Find(const CallbackServerContext& context, Topic** topic) {
    const auto name = Value(context, "topic");
    if (!name) return Invalid("topic", "is missing");
    const bool known = name->find_first_not_of(kNameChars) == std::string::npos;
    if (!known || name->empty() || name->size() > 255) {
      return Invalid("topic", "is not 1 to 255 of A-Z a-z 0-9 . _ / -");
    }
    std::lock_guard<std::mutex> lock(mutex_);
    auto& found = topics_[*name];
    if (!found) found = std::make_unique<Topic>(*name, epoch_);
    *topic = found.get();
    return Status::OK;
  }

  const std::string epoch_ = NewEpoch();
  std::mutex mutex_;
  std::unordered_map<std::string, std::unique_ptr<Topic>> topics_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:0";
  if (argc == 3 && std::string_view(argv[1]) == "--listen") {
    listen = argv[2];
  } else if (argc != 1) {
    std::fprintf(stderr, "usage: %s [--listen HOST:PORT]\n", argv[0]);
    return 2;
  }

  // Blocked before there is any thread, and waited for below.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  Hub hub;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&hub);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    std::fprintf(stderr, "cannot listen on %s\n", listen.c_str());
    return 1;
  }
  std::printf("listening on %s:%d\n", listen.substr(0, listen.rfind(':')).c_str(), port);
  std::fflush(stdout);

  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown(std::chrono::system_clock::now());
  server->Wait();
  return 0;
}
