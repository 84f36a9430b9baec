//! The services that many gRPC servers share: health, reflection and channelz.

mod channelz;
mod health;
mod reflection;
