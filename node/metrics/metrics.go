// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/openledger/openledger/node/cards"
)

// Snapshot is what is shown of a node at one moment.
type Snapshot struct {
	Height, Lag, Epoch uint64
	Peers, Txs         int // connected; transactions that wait
	Cards              []cards.Status
}

// scalar is a metric without labels.
type scalar struct {
	desc  *prometheus.Desc
	value func(Snapshot) float64
}

// ofCard is a metric of each card.
type ofCard struct {
	desc  *prometheus.Desc
	typ   prometheus.ValueType
	value func(cards.Status) float64
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("openledger_"+name, help, labels, nil)
}

var scalars = []scalar{
	{desc("consensus_height", "Height of the newest final block here."), func(s Snapshot) float64 { return float64(s.Height) }},
	{desc("consensus_epoch", "Epoch of the newest final block here."), func(s Snapshot) float64 { return float64(s.Epoch) }},
	{desc("consensus_lag_blocks", "Final blocks that peers have and this node lacks."), func(s Snapshot) float64 { return float64(s.Lag) }},
	{desc("p2p_peers", "Connected peers."), func(s Snapshot) float64 { return float64(s.Peers) }},
	{desc("mempool_txs", "Transactions that wait for a block."), func(s Snapshot) float64 { return float64(s.Txs) }},
}

var perCard = []ofCard{
	{desc("gpu_mem_bytes", "Memory that the owner offers.", "device"), prometheus.GaugeValue, func(c cards.Status) float64 { return float64(c.Memory) }},
	{desc("gpu_share_ratio", "Part of the time that the owner offers.", "device"), prometheus.GaugeValue, func(c cards.Status) float64 { return float64(c.Share) / 100 }},
	{desc("gpu_busy_seconds_total", "Time for which the card was lent to tasks.", "device"), prometheus.CounterValue, func(c cards.Status) float64 { return c.Busy.Seconds() }},
	{desc("gpu_tasks_total", "Times that the card was lent to a task.", "device"), prometheus.CounterValue, func(c cards.Status) float64 { return float64(c.Tasks) }},
	{desc("gpu_lost_total", "Times that the card or its worker was lost.", "device"), prometheus.CounterValue, func(c cards.Status) float64 { return float64(c.Losses) }},
	{desc("gpu_mismatch_total", "Times that the card gave a wrong bit, its self-test included.", "device"), prometheus.CounterValue, func(c cards.Status) float64 { return float64(c.Mismatches) }},
}

var (
	state = desc("gpu_state", "1 for the state that the card is in.", "device", "state")
	temp  = desc("gpu_temp_celsius", "Temperature; read where the owner set a limit.", "device")
)

// collector reads one snapshot for each scrape.
type collector func() (Snapshot, error)

func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range scalars {
		out <- m.desc
	}
	for _, m := range perCard {
		out <- m.desc
	}
	out <- state
	out <- temp
}

func (c collector) Collect(out chan<- prometheus.Metric) {
	s, err := c()
	if err != nil {
		out <- prometheus.NewInvalidMetric(scalars[0].desc, err)
		return
	}
	for _, m := range scalars {
		out <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, m.value(s))
	}
	for _, k := range s.Cards {
		device := strconv.Itoa(k.Index)
		for _, m := range perCard {
			out <- prometheus.MustNewConstMetric(m.desc, m.typ, m.value(k), device)
		}
		for _, is := range cards.States() {
			v := 0.0
			if is == k.State {
				v = 1
			}
			out <- prometheus.MustNewConstMetric(state, prometheus.GaugeValue, v, device, string(is))
		}
		if k.Temperature > 0 {
			out <- prometheus.MustNewConstMetric(temp, prometheus.GaugeValue, float64(k.Temperature), device)
		}
	}
}

// Handler answers scrapes in Prometheus' text format with what read returns; an
// error of read is answered with status 500. Spec: OBS-02.
func Handler(version string, read func() (Snapshot, error)) http.Handler {
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "openledger_build_info", Help: "1, with the version of the program.",
		ConstLabels: prometheus.Labels{"version": version}})
	build.Set(1)
	r := prometheus.NewRegistry()
	r.MustRegister(collector(read), build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 2})
}
