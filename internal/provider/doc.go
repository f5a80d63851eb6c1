// SPDX-License-Identifier: MPL-2.0

// Package provider is the Terraform surface: schemas, validation, plans and
// diagnostics of the clocker provider.
//
// It turns configuration into a call to the holder (to take or release a lock) or to the
// locker (to look at one), and the answer into state. It must not know how either works,
// and imports no ZooKeeper client.
package provider
