;; Writes to memory in every way there is. The bytes beside this file are this text, assembled.
(module
  (memory (export "memory") 1 1)
  (data (i32.const 0) "\01\02\03\04\05\06\07\08")
  (func (export "run")
    (i32.store8 (i32.const 100) (i32.const 1))
    ;; Across a page border.
    (i64.store align=1 (i32.const 12284) (i64.const 0x0202020202020202))
    (memory.fill (i32.const 20485) (i32.const 3) (i32.const 8192))
    (memory.copy (i32.const 36864) (i32.const 0) (i32.const 8)))
  (func (export "trap")
    (i32.store8 (i32.const 45056) (i32.const 4))
    (i32.store8 (i32.const 65536) (i32.const 5))))
