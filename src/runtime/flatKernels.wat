;; The kernels of flatKernels.ts, four elements at a time, in place. Each array lies in a memory of its own, at a byte offset
;; ($a for memory $A …); $bytes is its length, a multiple of 16. Arithmetic is in float32, that of sumOfSquares in float64.
;; scripts/compileWat.ts makes flatKernels.gen.ts of this file.
(module
  (import "memories" "0" (memory $A 0 65536 shared))
  (import "memories" "1" (memory $B 0 65536 shared))
  (import "memories" "2" (memory $C 0 65536 shared))
  (import "memories" "3" (memory $D 0 65536 shared))

  ;; A parameter, B gradient, C exp_avg, D exp_avg_sq
  (func (export "adam")
      (param $a i32) (param $b i32) (param $c i32) (param $d i32) (param $bytes i32)
      (param $gradientScale f32) (param $coupled f32) (param $beta1 f32) (param $rest1 f32) (param $beta2 f32)
      (param $rest2 f32) (param $root f32) (param $eps f32) (param $keep f32) (param $rate f32)
    (local $end i32) (local $theta v128) (local $g v128) (local $m v128) (local $v v128)
    (local.set $end (i32.add (local.get $a) (local.get $bytes)))
    (loop $next
      (local.set $theta (v128.load $A (local.get $a)))
      ;; g = gradient gradientScale + coupled theta
      (local.set $g (f32x4.add
        (f32x4.mul (v128.load $B (local.get $b)) (f32x4.splat (local.get $gradientScale)))
        (f32x4.mul (local.get $theta) (f32x4.splat (local.get $coupled)))))
      ;; m = beta1 m + (1 - beta1) g
      (local.set $m (f32x4.add
        (f32x4.mul (v128.load $C (local.get $c)) (f32x4.splat (local.get $beta1)))
        (f32x4.mul (local.get $g) (f32x4.splat (local.get $rest1)))))
      ;; v = beta2 v + (1 - beta2) g g
      (local.set $v (f32x4.add
        (f32x4.mul (v128.load $D (local.get $d)) (f32x4.splat (local.get $beta2)))
        (f32x4.mul (f32x4.mul (local.get $g) (local.get $g)) (f32x4.splat (local.get $rest2)))))
      (v128.store $C (local.get $c) (local.get $m))
      (v128.store $D (local.get $d) (local.get $v))
      ;; theta = keep theta - rate m / (root sqrt(v) + eps)
      (v128.store $A (local.get $a) (f32x4.sub
        (f32x4.mul (local.get $theta) (f32x4.splat (local.get $keep)))
        (f32x4.div
          (f32x4.mul (local.get $m) (f32x4.splat (local.get $rate)))
          (f32x4.add
            (f32x4.mul (f32x4.sqrt (local.get $v)) (f32x4.splat (local.get $root)))
            (f32x4.splat (local.get $eps))))))
      (local.set $b (i32.add (local.get $b) (i32.const 16)))
      (local.set $c (i32.add (local.get $c) (i32.const 16)))
      (local.set $d (i32.add (local.get $d) (i32.const 16)))
      (br_if $next (i32.ne (local.tee $a (i32.add (local.get $a) (i32.const 16))) (local.get $end)))))

  ;; A = A + B
  (func (export "accumulate") (param $a i32) (param $b i32) (param $bytes i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $a) (local.get $bytes)))
    (loop $next
      (v128.store $A (local.get $a) (f32x4.add (v128.load $A (local.get $a)) (v128.load $B (local.get $b))))
      (local.set $b (i32.add (local.get $b) (i32.const 16)))
      (br_if $next (i32.ne (local.tee $a (i32.add (local.get $a) (i32.const 16))) (local.get $end)))))

  ;; The sum of A's squares, as two sums over elements 0 and 1, 2 and 3 of each four.
  (func (export "sumOfSquares") (param $a i32) (param $bytes i32) (result f64)
    (local $end i32) (local $x v128) (local $low v128) (local $high v128) (local $sumLow v128) (local $sumHigh v128)
    (local.set $end (i32.add (local.get $a) (local.get $bytes)))
    (loop $next
      (local.set $x (v128.load $A (local.get $a)))
      (local.set $low (f64x2.promote_low_f32x4 (local.get $x)))
      (local.set $high (f64x2.promote_low_f32x4
        (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $x) (local.get $x))))
      (local.set $sumLow (f64x2.add (local.get $sumLow) (f64x2.mul (local.get $low) (local.get $low))))
      (local.set $sumHigh (f64x2.add (local.get $sumHigh) (f64x2.mul (local.get $high) (local.get $high))))
      (br_if $next (i32.ne (local.tee $a (i32.add (local.get $a) (i32.const 16))) (local.get $end))))
    (local.set $sumLow (f64x2.add (local.get $sumLow) (local.get $sumHigh)))
    (f64.add (f64x2.extract_lane 0 (local.get $sumLow)) (f64x2.extract_lane 1 (local.get $sumLow)))))
