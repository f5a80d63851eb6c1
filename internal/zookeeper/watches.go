// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"encoding/binary"
	"sync"

	"github.com/go-zookeeper/zk"
)

// watches are the paths that may have a watch in the client library. The event that
// ends the watches of a path can overtake the request for the next watch, so a path
// stays here while such a request has no answer.
type watches struct {
	mu    sync.Mutex
	paths map[string]*watched
}

type watched struct {
	asking int  // requests without an answer yet
	set    bool // by an earlier one
}

// begin is called before a watch is asked for.
func (w *watches) begin(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paths == nil {
		w.paths = make(map[string]*watched)
	}
	if w.paths[path] == nil {
		w.paths[path] = &watched{}
	}
	w.paths[path].asking++
}

// end is called when the request is answered. set says that the watch was set. If its
// event came first, it counts as set until another event or the connection's end, which
// does no harm.
func (w *watches) end(path string, set bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	watch := w.paths[path]
	watch.asking--
	watch.set = watch.set || set
	w.forget(path)
}

// forget drops a path that nobody watches.
func (w *watches) forget(path string) {
	if watch := w.paths[path]; watch.asking == 0 && !watch.set {
		delete(w.paths, path)
	}
}

// see looks for an event in a packet (WatcherEvent in zookeeper.jute): it ends all
// watches of its znode.
func (w *watches) see(packet []byte) {
	const path0 = replyHeader + 12 // behind the event's kind and state and the path's length
	if len(packet) < path0 || number(packet) != xidEvent {
		return
	}
	path, event := packet[path0:], zk.EventType(number(packet[replyHeader:]))
	if int(number(packet[path0-4:])) != len(path) || event == zk.EventNodeChildrenChanged {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if watch := w.paths[string(path)]; watch != nil {
		watch.set = false
		w.forget(string(path))
	}
}

// lastEvents are packets that end all watches: they say that the watched znodes were
// deleted.
func (w *watches) lastEvents() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	var packets []byte
	for path, watch := range w.paths {
		event := withNumber(nil, xidEvent)
		event = append(event, make([]byte, 12)...) // zxid and error
		event = binary.BigEndian.AppendUint32(event, uint32(zk.EventNodeDeleted))
		event = binary.BigEndian.AppendUint32(event, uint32(zk.StateSyncConnected))
		event = append(withNumber(event, len(path)), path...)
		packets = append(withNumber(packets, len(event)), event...)
		watch.set = false
		w.forget(path)
	}
	return packets
}
