// Package lease keeps locks in a store: leases on names, exclusive or shared,
// that end by themselves when their holder dies.
//
// # What a lease can promise
//
// While nobody's process, machine or network is stopped for longer than a part
// of the TTL, at most one holder has a name's exclusive lock, and then nobody
// has the shared one. The lease's context is cancelled after two thirds of
// the TTL without a renewal, before anybody else can see it expired. Every
// exclusive holder's epoch is greater than that of all before.
//
// # What it cannot
//
// A process can be stopped at any instruction — by the scheduler, the
// hypervisor, the lid of a laptop — and go on after others have the lock, with
// a write that it was just about to make. It learns at its first look at the
// context, but that write may come before. No lease can prevent this, on any
// system; what can is that the thing written to refuses epochs older than it
// has seen. Directories and buckets do not. So a lease is advisory: it spares
// work, it does not guard data. What guards data is a conditional write: that
// of a version's register.
//
// # How it works
//
// The exclusive lock of a name is one register, created once, changed by
// compare-and-swap only and never removed: so two waiters cannot both break
// it, and its epoch never restarts. A shared holder has a key of its own. Both
// sides write first and look at the other's mark second, so one of them sees
// the other. Whether a lease has expired is judged by the store's clock alone:
// the clocks of the machines may show anything.
package lease
