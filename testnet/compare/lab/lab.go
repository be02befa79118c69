// SPDX-License-Identifier: Apache-2.0

package lab

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
	"time"

	"golang.org/x/sys/unix"

	"github.com/openledger/openledger/testnet/compare/proc"
)

// Lab is hosts and the switch between them.
type Lab struct {
	hosts []*host
	delay time.Duration
	loss  float64
	wg    sync.WaitGroup

	mu  sync.Mutex
	rng *rand.Rand
}

type host struct {
	name, addr string
	tap, ns    *os.File
}

// New makes n hosts. Each frame between two of them arrives after delay, or with
// the probability loss not at all. Errors: this user or kernel may not do so.
func New(n int, delay time.Duration, loss float64, seed uint64) (*Lab, error) {
	if os.Getuid() != 0 {
		return nil, errors.New("network namespaces need root")
	}
	l := &Lab{delay: delay, loss: loss, rng: rand.New(rand.NewPCG(seed, 0))}
	for i := range n {
		h := &host{name: fmt.Sprintf("compare-%d-%d", os.Getpid(), i), addr: fmt.Sprintf("10.99.8.%d", i+1)}
		if err := run("netns", "add", h.name); err != nil {
			l.Close()
			return nil, err
		}
		l.hosts = append(l.hosts, h)
		if err := h.open(i); err != nil {
			l.Close()
			return nil, err
		}
	}
	for i, h := range l.hosts {
		l.wg.Go(func() { l.read(i, h.tap) })
	}
	return l, nil
}

func run(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %v: %w: %s", args, err, out)
	}
	return nil
}

// open gives the host its card.
func (h *host) open(i int) (err error) {
	if h.ns, err = os.Open("/run/netns/" + h.name); err != nil {
		return err
	}
	if err = h.inside(func() (err error) { h.tap, err = tap("eth0"); return err }); err != nil {
		return err
	}
	return errors.Join(run("-n", h.name, "link", "set", "lo", "up"),
		run("-n", h.name, "link", "set", "eth0", "address", fmt.Sprintf("02:00:00:00:01:%02x", i+1)),
		run("-n", h.name, "addr", "add", h.addr+"/24", "dev", "eth0"),
		run("-n", h.name, "link", "set", "eth0", "up"))
}

// inside runs f in the namespace.
func (h *host) inside(f func() error) error {
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
		return errors.Join(err, back) // the thread stays locked and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// tap makes an Ethernet card whose frames this process reads and writes.
func tap(name string) (*os.File, error) {
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

// read passes on what a host sends until its card is closed.
func (l *Lab) read(from int, card *os.File) {
	buf := make([]byte, 2_048)
	for {
		n, err := card.Read(buf)
		if err != nil {
			return
		}
		if n < 14 {
			continue
		}
		to := int(buf[5]) - 1 // the addresses that open gave
		if buf[0]&1 == 1 {
			to = -1 // to all
		}
		for i, h := range l.hosts {
			if i != from && (to == i || to < 0) && !l.lost() {
				frame := append([]byte(nil), buf[:n]...)
				time.AfterFunc(l.delay, func() { _, _ = h.tap.Write(frame) }) // a full queue loses frames, as networks do
			}
		}
	}
}

func (l *Lab) lost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rng.Float64() < l.loss
}

// Place is where nodes 0, 1, … of a network run. RPC ports end with the number of
// the node.
func (l *Lab) Place() proc.Place {
	p := proc.Place{Dial: l.dial}
	for _, h := range l.hosts {
		p.Hosts = append(p.Hosts, h.addr)
		p.Prefix = append(p.Prefix, []string{"ip", "netns", "exec", h.name})
	}
	return p
}

// dial reaches a node's RPC on the loopback of its namespace.
func (l *Lab) dial(_ context.Context, _, addr string) (net.Conn, error) {
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil || port%10 >= len(l.hosts) {
		return nil, fmt.Errorf("no host for %s", addr)
	}
	var fd int
	if err := l.hosts[port%10].inside(func() (err error) {
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		if err = unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			err = errors.Join(err, unix.Close(fd))
		}
		return err
	}); err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), addr)
	defer f.Close()
	return net.FileConn(f)
}

// Close removes the hosts. Stop what runs there first.
func (l *Lab) Close() {
	for _, h := range l.hosts {
		if h.tap != nil {
			_ = h.tap.Close()
		}
		if h.ns != nil {
			_ = h.ns.Close()
		}
		_ = run("netns", "del", h.name)
	}
	l.wg.Wait()
}
