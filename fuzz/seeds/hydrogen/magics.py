# %%
%%bash
ls
# %% [raw]
# x
# %%
%time x # escape
!ls
