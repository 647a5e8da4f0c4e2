package main

import (
	"math"
	"time"
)

// sure is the confidence from which a relation becomes a parent by default.
const sure = 0.9

// cell is the score of all traces at one compression.
type cell struct {
	Compress float64 `json:"compress"`
	// Links are the calls that a request caused and that the rung was not told, Right those that were given to it.
	Links int     `json:"links"`
	Right float64 `json:"links_right"`
	// Whole is the share of traces with calls all of which were right.
	Whole float64 `json:"traces_right"`
	// Precision is the share of right ones among those with a confidence of at
	// least 0.9, Share the part of the links that have it.
	Precision float64 `json:"precision_sure"`
	Share     float64 `json:"share_sure"`
	// Calibration is the mean distance of confidence and truth, over ten bins
	// weighted by their counts.
	Calibration float64 `json:"calibration_error"`
	Undecided   float64 `json:"undecided"`
	PerSecond   float64 `json:"links_per_second_core"`
	Bins        []bin   `json:"bins"`
}

// bin is what was decided with about the same confidence.
type bin struct {
	Count      int     `json:"count"`
	Confidence float64 `json:"confidence"`
	Right      float64 `json:"right"`
}

// score replays all processes one after the other.
func score(traces []jaegerTrace, compress float64, r replayer) cell {
	c := cell{Compress: compress, Bins: make([]bin, 10)}
	whole := map[int]bool{}
	right, undecided, confident, confidentRight := 0, 0, 0, 0
	var took time.Duration
	processes := facts(traces, compress)
	for _, p := range processes {
		for _, s := range p.spans {
			if s.call && s.truth != nil && !r.told(s) {
				c.Links++
				whole[s.trace] = true
			}
		}
	}
	withLinks := len(whole)
	for _, p := range processes {
		verdicts, spent := r.replay(p)
		took += spent
		for _, v := range verdicts {
			ok := v.parent == v.call.truth
			if v.call.truth != nil && ok {
				right++
			}
			if !ok {
				delete(whole, v.call.trace)
			}
			if v.parent == nil {
				undecided++
				continue
			}
			b := &c.Bins[min(int(v.confidence*10), 9)]
			b.add(v.confidence, ok)
			if v.confidence >= sure {
				confident++
				if ok {
					confidentRight++
				}
			}
		}
	}
	links := float64(c.Links)
	c.Right, c.Undecided, c.Share = float64(right)/links, float64(undecided)/links, float64(confident)/links
	c.Precision = float64(confidentRight) / float64(confident)
	c.Whole = float64(len(whole)) / float64(withLinks)
	c.PerSecond = links / took.Seconds()
	c.Calibration = calibration(c.Bins)
	return c
}

// add counts a decision; Confidence and Right are kept as means.
func (b *bin) add(confidence float64, ok bool) {
	n := float64(b.Count)
	right := 0.0
	if ok {
		right = 1
	}
	b.Confidence = (b.Confidence*n + confidence) / (n + 1)
	b.Right = (b.Right*n + right) / (n + 1)
	b.Count++
}

func calibration(bins []bin) float64 {
	total, distance := 0, 0.0
	for _, b := range bins {
		total += b.Count
		distance += float64(b.Count) * math.Abs(b.Confidence-b.Right)
	}
	return distance / float64(max(total, 1))
}
