//go:build !unix

package beneath

// Opening does not wait on these systems. Comparing what was found with what was
// opened shows whether a link was followed.
const nonblock, nofollow = 0, 0
