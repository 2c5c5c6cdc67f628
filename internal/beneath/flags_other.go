//go:build !unix

package beneath

// Opening does not wait here, and that a link was followed shows when what was
// found and what was opened are compared.
const nonblock, nofollow = 0, 0
