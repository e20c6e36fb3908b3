(* --- *)
(* jupyter: *)
(*   title: x *)
(* --- *)

(* %% [markdown] *)
(* text *)

(* %% language="R" *)
(* x *)
let x = "*)"
