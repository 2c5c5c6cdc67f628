// Package lease keeps locks in a store: leases on names, exclusive or shared,
// that end by themselves when their holder dies.
//
// # What a lease can promise
//
// While no process, machine or network stops for longer than a part of the
// TTL, at most one holder has the exclusive lock of a name, and no other
// process has the shared one at the same time. The lease's context is cancelled
// after two thirds of the TTL without a renewal, before another process can see
// it expired. The epoch of each exclusive holder is greater than all earlier
// ones.
//
// # What it cannot
//
// A process can be stopped at any instruction — by the scheduler, the
// hypervisor, the lid of a laptop — and continue after another process has the
// lock, with a write that it was just about to make. It notices at its next
// look at the context, but the write may come before. No lease on any system
// can prevent this. Fencing can: the resource refuses writes with an older epoch
// than it has seen. Directories and buckets do not check epochs. So a lease is
// advisory: it saves work, it does not guard data. The conditional write of
// a version's register guards data.
//
// # How it works
//
// The exclusive lock of a name is one register, created once, changed by
// compare-and-swap only and never removed: so two waiters cannot both break
// it, and its epoch never restarts. A shared holder has a key of its own. Both
// sides first write their own register and then look at the other's, so at
// least one of them sees the other. Only the store's clock decides whether
// a lease has expired; the clocks of the machines may be wrong.
//
// The root package and the command lock through [Locks.Lock] and
// [Locks.RLock], and show locks with [Locks.All].
//
//	locks.go   Locks: taking the exclusive lock
//	shared.go  taking the shared lock; the shared holders of a name
//	lease.go   Lease: renewing and releasing a lock
//	put.go     writes whose answers may be lost
//	wait.go    waiting for a lock
//	status.go  Status, All, Break
//	mend.go    damaged registers
package lease
