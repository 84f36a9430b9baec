//! Topics that are kept in a folder: what is there after a restart, a kill or a power failure, and
//! what happens when the disk is full or files are damaged.

mod crash;
mod folder;
mod full;
mod power_cut;
mod torn;
