// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"net"
	"testing"
	"time"
)

// TestFramesTakeTheirTime connects two hosts; where namespaces are not permitted
// it says so and tests nothing.
func TestFramesTakeTheirTime(t *testing.T) {
	const delay = 40 * time.Millisecond
	l, err := New(2, delay, 0, 1)
	if err != nil {
		t.Logf("no network namespaces here, nothing was tested: %v", err)
		return
	}
	defer l.Close()
	var in net.Listener
	if err := l.hosts[1].inside(func() (err error) { in, err = net.Listen("tcp4", l.Place().Host(1)+":7001"); return err }); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	go func() {
		if c, err := in.Accept(); err == nil {
			_, _ = c.Write([]byte{9})
			c.Close()
		}
	}()
	start := time.Now()
	var c net.Conn
	if err := l.hosts[0].inside(func() (err error) { c, err = net.Dial("tcp4", in.Addr().String()); return err }); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var b [1]byte
	if _, err := c.Read(b[:]); err != nil || b[0] != 9 {
		t.Fatalf("got %v, %v", b, err)
	}
	// A name, its answer, a call and its answer, at least.
	if took := time.Since(start); took < 4*delay {
		t.Errorf("four frames took %v", took)
	}
	local, err := net.Listen("tcp4", "127.0.0.1:7011")
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	if c, err := l.dial(t.Context(), "tcp4", "127.0.0.1:7011"); err == nil {
		c.Close()
		t.Error("a host reaches the loopback of this machine")
	}
}
