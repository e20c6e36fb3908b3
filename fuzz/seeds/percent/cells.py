# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Title

# %% tags=["a"] x={"b": [1, null]}
%time x = 1


# %%
def f():
    """text
    # %%
    """
