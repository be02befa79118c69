// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"

	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lab is a network of namespaces, one per node, joined by a switch in this process
// that delays, loses and cuts what each pair of nodes sends. A node's RPC listens
// on its own loopback, on a port that no other node has.
type lab struct {
	t     *testing.T
	hosts []*labHost
	done  chan struct{}
	wg    sync.WaitGroup

	mu    sync.Mutex
	rng   *rand.Rand
	rules map[[2]int]link // from, to; absent: a perfect link
}

// link says what happens to frames in one direction.
type link struct {
	cut           bool
	loss          float64
	delay, jitter time.Duration
}

type labHost struct {
	name string // of the namespace
	addr string
	tap  *os.File
	ns   *os.File
}

// newLab makes n namespaces; nil where this machine does not permit it.
func newLab(t *testing.T, n int, seed uint64) *lab {
	t.Helper()
	l := &lab{t: t, done: make(chan struct{}), rng: rand.New(rand.NewPCG(seed, 0)), rules: map[[2]int]link{}}
	t.Cleanup(l.close)
	for i := range n {
		h, err := newLabHost(i)
		if h != nil {
			l.hosts = append(l.hosts, h)
		}
		if err != nil {
			t.Logf("no network namespaces here, nothing was tested: %v", err)
			return nil
		}
	}
	for i, h := range l.hosts {
		l.wg.Go(func() { l.read(i, h.tap) })
	}
	return l
}

func newLabHost(i int) (*labHost, error) {
	if os.Getuid() != 0 {
		return nil, errors.New("not root")
	}
	h := &labHost{name: fmt.Sprintf("openledger-%d-%d", os.Getpid(), i), addr: fmt.Sprintf("10.99.7.%d", i+1)}
	if out, err := exec.Command("ip", "netns", "add", h.name).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("ip netns add: %w: %s", err, out)
	}
	var err error
	if h.ns, err = os.Open("/run/netns/" + h.name); err != nil {
		return h, err
	}
	if err = h.inside(func() (err error) { h.tap, err = openTap("eth0"); return err }); err != nil {
		return h, err
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "set", "eth0", "address", fmt.Sprintf("02:00:00:00:00:%02x", i+1)},
		{"addr", "add", h.addr + "/24", "dev", "eth0"},
		{"link", "set", "eth0", "up"},
	} {
		if out, err := exec.Command("ip", append([]string{"-n", h.name}, args...)...).CombinedOutput(); err != nil {
			return h, fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	return h, nil
}

// inside runs f in the namespace.
func (h *labHost) inside(f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	if err := unix.Setns(int(h.ns.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	err = f()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, back) // the thread stays locked and dies with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// openTap makes an Ethernet device whose frames this process reads and writes.
func openTap(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	req, err := unix.NewIfreq(name)
	if err == nil {
		req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (l *lab) close() {
	close(l.done)
	for _, h := range l.hosts {
		if h.tap != nil {
			_ = h.tap.Close()
		}
		if h.ns != nil {
			_ = h.ns.Close()
		}
		if out, err := exec.Command("ip", "netns", "del", h.name).CombinedOutput(); err != nil {
			l.t.Errorf("ip netns del: %v: %s", err, out)
		}
	}
	l.wg.Wait()
}

// read passes on what a host sends.
func (l *lab) read(from int, tap *os.File) {
	buf := make([]byte, 2_048)
	for {
		n, err := tap.Read(buf)
		if err != nil {
			return
		}
		if n < 14 {
			continue
		}
		to := int(buf[5]) - 1 // the addresses that newLabHost gave
		if buf[0]&1 == 1 {
			to = -1 // to all
		}
		for i := range l.hosts {
			if i != from && (to == i || to < 0) {
				l.pass(from, i, append([]byte(nil), buf[:n]...))
			}
		}
	}
}

// pass carries one frame under the rule of its direction.
func (l *lab) pass(from, to int, frame []byte) {
	l.mu.Lock()
	r := l.rules[[2]int{from, to}]
	lost := r.cut || r.loss > 0 && l.rng.Float64() < r.loss
	delay := r.delay
	if r.jitter > 0 {
		delay += time.Duration(l.rng.Int64N(2*int64(r.jitter))) - r.jitter
	}
	l.mu.Unlock()
	if lost {
		return
	}
	write := func() { _, _ = l.hosts[to].tap.Write(frame) } // a full queue loses frames, as networks do
	if delay <= 0 {
		write()
		return
	}
	time.AfterFunc(delay, write)
}

// all sets the rule of every direction; heal makes all links perfect.
func (l *lab) all(r link) {
	l.set(func(int, int) (link, bool) { return r, true })
}

func (l *lab) heal() { l.all(link{}) }

// split cuts the links between the hosts below n and the others.
func (l *lab) split(n int) {
	l.set(func(a, b int) (link, bool) { return link{cut: true}, (a < n) != (b < n) })
}

// mute cuts what one host says; it still hears.
func (l *lab) mute(host int) {
	l.set(func(a, _ int) (link, bool) { return link{cut: true}, a == host })
}

func (l *lab) set(rule func(from, to int) (link, bool)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for a := range l.hosts {
		for b := range l.hosts {
			if r, ok := rule(a, b); ok {
				l.rules[[2]int{a, b}] = r
			}
		}
	}
}

// dial reaches the RPC port of a node inside its namespace.
func (l *lab) dial(base int) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (c net.Conn, err error) {
		_, text, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		port, err := strconv.Atoi(text)
		if i := port - base; err != nil || i < 0 || i >= len(l.hosts) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
		to := &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
		var fd int
		if err := l.hosts[port-base].inside(func() (err error) {
			if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
				return err
			}
			return unix.Connect(fd, to)
		}); err != nil {
			return nil, err
		}
		f := os.NewFile(uintptr(fd), addr)
		defer f.Close()
		return net.FileConn(f)
	}
}

// TestLabCarriesFrames shows that the switch does what its rules say, so that a
// fault that did nothing cannot pass for one that was survived.
func TestLabCarriesFrames(t *testing.T) {
	l := newLab(t, 2, 1)
	if l == nil {
		return
	}
	listen := func() (c *net.UDPConn) {
		must(t, l.hosts[1].inside(func() (err error) {
			c, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(l.hosts[1].addr), Port: 7})
			return err
		}))
		return c
	}
	in := listen()
	defer in.Close()
	var out *net.UDPConn
	must(t, l.hosts[0].inside(func() (err error) {
		out, err = net.DialUDP("udp4", nil, in.LocalAddr().(*net.UDPAddr))
		return err
	}))
	defer out.Close()
	send := func(n byte) {
		_, err := out.Write([]byte{byte(n)})
		must(t, err)
	}
	receive := func(within time.Duration) (byte, time.Duration, bool) {
		start := time.Now()
		must(t, in.SetReadDeadline(start.Add(within)))
		var b [1]byte
		_, err := in.Read(b[:])
		return b[0], time.Since(start), err == nil
	}
	send(1)
	if n, _, ok := receive(5 * time.Second); !ok || n != 1 {
		t.Fatalf("a perfect link brought %d, %v", n, ok)
	}
	l.mute(0)
	send(2)
	if n, _, ok := receive(200 * time.Millisecond); ok {
		t.Fatalf("a cut link brought %d", n)
	}
	l.all(link{delay: 100 * time.Millisecond})
	send(3)
	if n, took, ok := receive(5 * time.Second); !ok || n != 3 || took < 90*time.Millisecond {
		t.Fatalf("a slow link brought %d after %v, %v", n, took, ok)
	}
	l.all(link{loss: 0.5})
	got := 0
	for i := range byte(100) {
		send(10 + i)
	}
	for {
		if _, _, ok := receive(200 * time.Millisecond); !ok {
			break
		}
		got++
	}
	if got < 25 || got > 75 {
		t.Fatalf("a link that loses half brought %d of 100", got)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
