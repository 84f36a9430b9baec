// The header of the C core, with the macro that the binding uses and newer cores no longer have.
#include_next <grpc/support/log.h>

#define GPR_ASSERT(condition) ((condition) ? (void)0 : abort())
