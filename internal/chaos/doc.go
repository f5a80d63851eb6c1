// Package chaos holds tests of what must not happen, whatever happens: two
// holders of one lock, and anything left behind. It plays many runs that take
// and release locks side by side while connections break, answers get lost,
// servers stop, die and come back, and holders are cancelled and killed; and it
// kills servers of an ensemble under single locks.
//
// A run that is made up of chance is replayed by its seed: see TestChaos.
package chaos
