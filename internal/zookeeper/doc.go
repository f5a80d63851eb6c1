// SPDX-License-Identifier: MPL-2.0

// Package zookeeper opens sessions with a ZooKeeper ensemble.
//
// It knows connect strings, sessions and requests. It is the only package that
// imports a ZooKeeper client, and it must not know what a lock is.
//
// A [Session] here is exactly one ZooKeeper session: when the server expires
// it, it is lost for good and never silently replaced by another, as the
// client library would do by itself. Every request takes a context, and every
// error says whether the server answered: see [Answered].
package zookeeper
