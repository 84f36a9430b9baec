// The two functions with which the binding redirects the log of the C core. Newer cores log with
// Abseil and no longer have them.

#include <atomic>
#include <string>

#include <grpc/support/log.h>

#include "absl/log/globals.h"
#include "absl/log/internal/globals.h"
#include "absl/log/log_entry.h"
#include "absl/log/log_sink.h"
#include "absl/log/log_sink_registry.h"

namespace {

// As older cores declare it: the binding has this layout.
struct Line {
  const char* file;
  int line;
  gpr_log_severity severity;
  const char* message;
};

using Function = void (*)(Line*);

std::atomic<Function> receiver{nullptr};

class Sink : public absl::LogSink {
 public:
  void Send(const absl::LogEntry& entry) override {
    Function receive = receiver.load();
    if (receive == nullptr) return;
    const std::string file(entry.source_filename());
    const std::string message(entry.text_message());
    Line line = {file.c_str(), entry.source_line(), Severity(entry),
                 message.c_str()};
    receive(&line);
  }

 private:
  // The binding has no level for warnings. They are rare, and somebody should read them.
  static gpr_log_severity Severity(const absl::LogEntry& entry) {
    if (entry.verbosity() > 0) return GPR_LOG_SEVERITY_DEBUG;
    if (entry.log_severity() == absl::LogSeverity::kInfo) return GPR_LOG_SEVERITY_INFO;
    return GPR_LOG_SEVERITY_ERROR;
  }
};

// Errors are printed where nobody receives them. What ends the process always is.
void PrintErrors(bool print) {
  absl::SetStderrThreshold(print ? absl::LogSeverityAtLeast::kError
                                 : absl::LogSeverityAtLeast::kFatal);
}

// Before anything is logged: Abseil prints everything until it is told that the program is set up.
const bool is_set_up = [] {
  PrintErrors(true);
  absl::log_internal::SetInitialized();
  absl::AddLogSink(new Sink);
  return true;
}();

}  // namespace

extern "C" {

void gpr_set_log_function(Function receive) {
  receiver = receive;
  PrintErrors(receive == nullptr);
}

void gpr_set_log_verbosity(gpr_log_severity severity) {
  absl::SetMinLogLevel(severity == GPR_LOG_SEVERITY_ERROR
                           ? absl::LogSeverityAtLeast::kWarning
                           : absl::LogSeverityAtLeast::kInfo);
  absl::SetGlobalVLogLevel(severity == GPR_LOG_SEVERITY_DEBUG ? 2 : 0);
}

}
