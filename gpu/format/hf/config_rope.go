// SPDX-License-Identifier: Apache-2.0

package hf

import "github.com/openledger/openledger/gpu/format"

// defaultTheta is what folders without rope_theta mean.
const defaultTheta = 10000

// rope reads rope_theta and rope_scaling, or rope_parameters, where newer
// folders keep both.
func (f *fields) rope(r *Rope) {
	old, hasOld := f.take("rope_scaling")
	v, ok := f.take("rope_parameters")
	if hasOld && ok && f.err == nil {
		f.err = old.Unsupported("stands beside rope_parameters; which one holds?")
	}
	if hasOld {
		v, ok = old, true
	}
	_, outside := f.m["rope_theta"]
	r.ThetaBits = f.float("rope_theta", defaultTheta)
	if !ok || f.err != nil {
		return
	}
	in, err := newFields(v)
	if err != nil {
		f.err = err
		return
	}
	if theta, there := in.m["rope_theta"]; there {
		if x := in.float("rope_theta", defaultTheta); outside && x != r.ThetaBits && in.err == nil {
			in.err = theta.Fail("differs from the rope_theta outside")
		} else {
			r.ThetaBits = x
		}
	}
	in.scaling(v, r)
	f.err = in.err
}

func (f *fields) scaling(v format.Value, r *Rope) {
	kind := f.text("rope_type")
	if older := f.text("type"); kind == "" {
		kind = older
	} else if older != "" && older != kind && f.err == nil {
		f.err = v.Fail("type is %.40q and rope_type %.40q", older, kind)
	}
	switch kind {
	case "default", "":
		if kind == "" && len(f.m) > 0 && f.err == nil {
			f.err = v.Fail("rope_type is missing")
		}
	case "linear":
		r.Scaling = ScaleLinear
		r.FactorBits = f.float("factor", 0)
	case "llama3":
		r.Scaling = ScaleLlama3
		r.FactorBits = f.float("factor", 0)
		r.LowBits = f.float("low_freq_factor", 0)
		r.HighBits = f.float("high_freq_factor", 0)
		r.Original = f.uint("original_max_position_embeddings", nil)
	default:
		if f.err == nil {
			f.err = v.Unsupported("rope_type %.40q; default, linear and llama3 are supported", kind)
		}
	}
	f.fixed()
	if f.err == nil {
		f.err = f.rest()
	}
}
