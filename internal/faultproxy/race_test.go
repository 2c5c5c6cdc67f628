//go:build race

package faultproxy_test

// underRace: a request that lands late races with the end of the test's own
// server, as it is meant to.
const underRace = true
